"""What the tests of files share: directories to write, and other processes."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from pyimagesearch.system.files import whole_directory
from tests.scripts import ENVIRONMENT, ROOT


@contextmanager
def in_another_process(code, *arguments):
    """Python on `code`, which has printed a line where it should be; killed after the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "there\n"
        yield process
        process.kill()


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def write_directory(path, text):
    with whole_directory(path) as new:
        (Path(new) / "variables").mkdir(parents=True)
        (Path(new) / "variables" / "data").write_text(text)


def text_of(path):
    return (Path(path) / "variables" / "data").read_text()
