"""The order of the rooms, what importing them changes, and what pip install brings."""

import ast
import json
import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

from tests.scripts import ENVIRONMENT, ROOT, python

PACKAGE = ROOT / "pyimagesearch"
# who stands further down may import who stands further up, and nobody the other way round
ORDER = [
    {"system"},
    {"config"},
    {"data"},
    {"utils"},
    {"metrics"},
    {"networks"},
    {"siamese_network"},
    {"evaluation"},
    {"inference"},
    {"training"},
    {"__init__", "__main__", "train_contrastive_siamese_network"},
    {"test_contrastive_siamese_network"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
ROOMS = sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))
SOURCES = sorted([*PACKAGE.rglob("*.py"), *ROOT.glob("*_contrastive_siamese_network.py")])


def room_of(path):
    """The room, or for a file that stands in front its own name."""
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return path.stem


def imported(path):
    """The rooms that a file imports from, with the lines, wherever in the file that is."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports with dots"
            module = node.module.split(".")
            names = [[*module, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "pyimagesearch" and len(name) > 1:
                yield name[1], node.lineno
            elif name[0].endswith("_contrastive_siamese_network"):
                yield name[0], node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    room = room_of(path)
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for name, line in imported(path)
        if name != room
        # what stands in the package's own __init__, as SiameseModel, is for programs outside
        and (name not in LEVEL or LEVEL[name] >= LEVEL[room])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_place_in_the_order():
    assert set(ROOMS) == {room for room in LEVEL if (PACKAGE / room).is_dir()}


@pytest.mark.parametrize("room", ROOMS)
def test_a_rooms_init_is_one_docstring(room):
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text())
    assert len(tree.body) == 1 and ast.get_docstring(tree)


STATE = """
import importlib, json, logging, os, sys, warnings

# what importing other libraries changes is theirs: they are imported first, as a program would
import cv2, filelock, keras, matplotlib, numpy, PIL.Image, tensorflow as tf
tf.random.normal((2,))

def state():
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    threading = tf.config.threading
    return [
        dict(os.environ),
        list(map(str, warnings.filters)),
        {log.name: log.level for log in loggers if getattr(log, "level", 0) or
            getattr(log, "handlers", 0)},
        [len(logging.root.handlers), cv2.getNumThreads(), cv2.utils.logging.getLogLevel()],
        [threading.get_intra_op_parallelism_threads()],
        [keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy().name],
    ]

changed = []
before = state()
for name in sys.argv[1:]:
    importlib.import_module(name)
    after = state()
    changed += [f"{name}: {b} is now {a}" for a, b in zip(after, before) if a != b]
    before = after
print(json.dumps(changed))
"""


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.slow
def test_importing_a_module_changes_nothing_in_a_program_that_uses_tensorflow():
    modules = [module_of(path) for path in SOURCES if path.is_relative_to(PACKAGE)]
    # in one process, in which TensorFlow has been used already
    done = python(STATE, *modules)
    assert done.returncode == 0, done.stderr
    changed = json.loads(done.stdout.splitlines()[-1])
    assert not changed, "\n".join(changed)


@pytest.mark.slow
def test_what_a_program_needs_is_loaded_when_asked_for():
    code = """
import sys
import pyimagesearch
assert set(pyimagesearch.__all__) <= set(dir(pyimagesearch))
loaded = [m for m in sys.modules if m.startswith("pyimagesearch.") or m in ("keras", "tensorflow")]
assert not loaded, loaded
from pyimagesearch import *
assert set(pyimagesearch.PLACES) == set(pyimagesearch.__all__) <= set(globals())
assert SiameseModel.__module__ == "pyimagesearch.inference.model"
assert build_siamese_model((28, 28, 1)).output_shape == (None, 48)
try:
    pyimagesearch.no_such_name
except AttributeError as error:
    print(error)
"""
    done = python(code)
    assert done.stdout == "module 'pyimagesearch' has no attribute 'no_such_name'\n", done.stderr


@pytest.mark.slow
def test_what_pip_install_brings(tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for place in project["project"]["scripts"].values():
        (module, function) = place.split(":")
        assert callable(getattr(import_module(module), function))
    scripts = sorted(path.stem for path in ROOT.glob("*_contrastive_siamese_network.py"))
    assert sorted(project["tool"]["setuptools"]["py-modules"]) == scripts
    # as pip's script starts a training, from a folder that is not the project's
    call = "from pyimagesearch.__main__ import train; train()"
    done = subprocess.run(
        [sys.executable, "-c", call, "--recipe", "none of these"],
        cwd=tmp_path,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Expected a recipe" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and list(tmp_path.iterdir()) == []
