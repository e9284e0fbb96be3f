"""The versions of what a model is made with."""

import platform

import keras
import numpy as np
import tensorflow as tf


def versions():
    """The versions of what a model was made with."""
    return {m.__name__: m.__version__ for m in (tf, keras, np)} | {
        "python": platform.python_version()
    }
