"""What pip install brings: two commands and the two scripts as modules."""

import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

from tests.scripts import ENVIRONMENT, ROOT

pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
COMMANDS = PROJECT["project"]["scripts"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_function(name):
    (module, function) = COMMANDS[name].split(":")
    assert callable(getattr(import_module(module), function))


def test_both_scripts_are_installed():
    scripts = sorted(path.stem for path in ROOT.glob("*_contrastive_siamese_network.py"))
    assert sorted(PROJECT["tool"]["setuptools"]["py-modules"]) == scripts


def test_training_as_an_installed_command(tmp_path):
    # as pip's script does it, from a folder that is not the project's
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
