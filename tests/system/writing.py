"""What the tests of files share: directories to write, and other processes."""

from contextlib import contextmanager
from pathlib import Path

from pyimagesearch.system.files import whole_directory
from tests.scripts import started


@contextmanager
def in_another_process(code, *arguments):
    """Python on `code`, which has printed a line where it should be; killed after the block."""
    with started(code, *arguments) as process:
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
