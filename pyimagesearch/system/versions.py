"""The versions of what a model is made with."""

import platform

import keras
import numpy as np
import tensorflow as tf


def versions() -> dict[str, str]:
    """The versions of tensorflow, keras, numpy and python that run here, for JSON."""
    modules = {module.__name__: module.__version__ for module in (tf, keras, np)}
    return modules | {"python": platform.python_version()}
