"""Files and directories that are there whole or not at all."""

# import the necessary packages
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from pyimagesearch.system.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_locks = []  # open folders: a lock ends with its process


@contextmanager
def whole_file(path):
    """Gives a path beside `path` to write to, and renames it to `path` at the end.

    Where the block raises, or the process dies in it, `path` is as it was before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the ending stays last: matplotlib and OpenCV choose the format by it
    new = path.with_name(f".new-{path.name}")
    try:
        yield str(new)
        _sync(new)
        os.replace(new, path)
    except OSError as error:
        raise _named(error, path) from None
    finally:
        new.unlink(missing_ok=True)


@contextmanager
def whole_directory(path):
    """The same for a directory, which no system can rename over one that is not empty.

    The old one is moved aside first. A process that dies between the two renames leaves it
    there, and find_directory gives it to the next reader.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    find_directory(path)
    new, old = path.with_name(f".new-{path.name}"), path.with_name(f".old-{path.name}")
    shutil.rmtree(new, ignore_errors=True)
    try:
        yield str(new)
        for file in new.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.rename(path, old)
        os.rename(new, path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise _named(error, path) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def find_directory(path):
    """`path`, after moving back what a whole_directory that died half-way had moved aside."""
    path = Path(path).resolve()
    old = path.with_name(f".old-{path.name}")
    if old.is_dir() and not path.exists():
        try:
            os.rename(old, path)
        except OSError:  # a folder that may only be read
            return old
    return path


def state(path):
    """A file's size and time, as text: a file that changed has another."""
    try:
        stat = os.stat(path)
    except OSError:
        return "missing"
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def take_over(directory):
    """Lock a folder for this process until it ends, and clear what a killed one has left.

    Raises ValueError where another process holds it. Where the system has no such locks
    (Windows) none is taken.
    """
    directory = Path(directory).resolve()
    if fcntl:
        _locks.append(os.open(directory, os.O_RDONLY))
        try:
            fcntl.flock(_locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"Expected a folder that no other training writes to. Received: {directory}. "
                "Name another with --output."
            ) from None
    for litter in directory.glob(".new-*"):
        shutil.rmtree(litter) if litter.is_dir() else litter.unlink()
    for old in directory.glob(".old-*"):
        if find_directory(directory / old.name.removeprefix(".old-")) != old:
            shutil.rmtree(old, ignore_errors=True)


def check_writable(directory, model=None):
    """Make the directory where it is missing; raise ValueError where no file can be written.

    model: a path to become a directory, which must not be a file.
    """
    if model and os.path.exists(model) and not os.path.isdir(model):
        raise InputError(f"Expected a place for a model directory. Received: {model}, a file.")
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as f:
            f.write(b"x")
    except OSError as error:
        raise InputError(
            f"Expected a folder that can be written to. Received: {directory} "
            f"({error.strerror}). Name another with --output."
        ) from None


def _named(error, path):
    # a full disk says what is wrong, but not with which file
    return OSError(error.errno, error.strerror or str(error), str(path))


def _sync(path):
    with open(path, "rb+") as f:
        os.fsync(f.fileno())
