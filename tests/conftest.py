"""Running the real scripts, and one model that they trained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "MPLBACKEND": "Agg"}


def command(script, *flags):
    return [sys.executable, str(ROOT / script), *map(str, flags)]


def run(script, *flags, cwd=ROOT):
    return subprocess.run(
        command(script, *flags), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """One epoch of the fast recipe; what it printed, and its folder."""
    output = tmp_path_factory.mktemp("trained")
    flags = ("--recipe", "fast", "--epochs", 1, "--seed", 3, "--output", output)
    return run("train_contrastive_siamese_network.py", *flags), output
