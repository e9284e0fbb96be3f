"""What importing the package changes, and what pip install brings."""

import tomllib
from importlib import import_module

import pytest

from tests.scripts import ROOT, python

pytestmark = pytest.mark.slow

STATE = """
import importlib, logging, os, sys, warnings

# what importing other libraries changes is theirs: they are imported first, as a program would
import cv2, filelock, keras, matplotlib, numpy, PIL.Image, tensorflow as tf
tf.random.normal((2,))

def state():
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    changed = [log for log in loggers if getattr(log, "level", 0) or getattr(log, "handlers", 0)]
    settings = keras.config
    return [
        dict(os.environ), list(map(str, warnings.filters)), [(x.name, x.level) for x in changed],
        [len(logging.root.handlers), tf.config.threading.get_intra_op_parallelism_threads()],
        [settings.floatx(), settings.image_data_format(), settings.dtype_policy().name],
    ]

before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    assert state() == before, f"{name}: {before} is now {state()}"
"""


def test_importing_a_module_changes_nothing_in_a_program_that_uses_tensorflow():
    paths = [path.relative_to(ROOT) for path in (ROOT / "pyimagesearch").rglob("*.py")]
    # in one process, in which TensorFlow has been used already
    done = python(STATE, *sorted(".".join(path.with_suffix("").parts) for path in paths))
    assert done.returncode == 0, done.stderr


def test_what_a_program_needs_is_loaded_when_asked_for():
    code = """
import sys
import pyimagesearch
assert set(pyimagesearch.__all__) <= set(dir(pyimagesearch))
loaded = [m for m in sys.modules if m.startswith("pyimagesearch.") or m in ("keras", "tensorflow")]
assert not loaded, loaded
from pyimagesearch import *
assert SiameseModel.__module__ == "pyimagesearch.inference.model"
assert build_siamese_model((28, 28, 1)).output_shape == (None, 48)
pyimagesearch.no_such_name
"""
    errors = python(code).stderr
    assert errors.endswith("module 'pyimagesearch' has no attribute 'no_such_name'\n"), errors


def test_what_pip_install_brings(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for place in project["project"]["scripts"].values():
        (module, function) = place.split(":")
        assert callable(getattr(import_module(module), function))
    scripts = sorted(path.stem for path in ROOT.glob("*_contrastive_siamese_network.py"))
    assert sorted(project["tool"]["setuptools"]["py-modules"]) == scripts
    # the scripts name the version that the changes are of
    done = python("from pyimagesearch.__main__ import ask; ask()", "--version")
    assert f"\n## {done.stdout}\n" in (ROOT / "CHANGELOG.md").read_text()
    # as pip's script starts a training, from a folder that is not the project's
    call = "from pyimagesearch.__main__ import train; train()"
    done = python(call, "--recipe", "none of these", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 2 and "Expected a recipe" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and list(tmp_path.iterdir()) == []
