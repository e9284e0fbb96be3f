"""Files and directories that are there whole or not at all, also with several writers at a time.

What is written lies in a folder beside its final place, .contrastive-k3x9_z1q, until it is whole.
That folder holds the file .lock, which its writer's process holds while it lives, and the new
file or directory; for a moment .aside is the directory that is being replaced. What a killed
writer has left is put back and cleared away by the next one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pyimagesearch.system.terminal import InputError, warn

AnyPath = str | os.PathLike
PREFIX, LOCK, ASIDE = ".contrastive-", ".lock", ".aside"
REPORTS = ("metrics.json", "history.csv", "report.html")  # that a training writes
TRAINING = ".contrastive-training.lock"


@contextmanager
def whole_file(path: AnyPath) -> Iterator[str]:
    """Give a path to write to; what is written there replaces `path` at the end of the block.

    Where the block raises, or the process dies in it, `path` is as it was before. Of several
    writers at a time each writes a whole file, and the last one's stays. A link stays a link to
    the file that is replaced, and the file keeps its permissions. Raises OSError with its name.
    """
    path = Path(os.path.realpath(path))
    with _beside(path) as new:
        yield str(new)
        with suppress(FileNotFoundError):
            shutil.copymode(path, new)
        _sync([new])
        os.replace(new, path)


@contextmanager
def whole_directory(path: AnyPath) -> Iterator[str]:
    """Do the same for a directory, which the block makes at the path that is given.

    Of two writers at a time the later one may get an OSError; the other's stays whole.
    A process that is killed between two renames leaves the old one aside: see `restore`.
    """
    path = Path(os.path.realpath(path))
    with _beside(path) as new:
        yield str(new)
        _sync(file for file in new.rglob("*") if file.is_file())
        if path.exists() and not path.is_dir():
            raise NotADirectoryError(20, "Not a directory", str(path))
        with suppress(FileNotFoundError):  # there is no old one
            os.rename(path, new.with_name(ASIDE))
        os.rename(new, path)


def restore(directory: AnyPath) -> None:
    """Put back what killed writers had moved aside in a folder, and clear away what they left."""
    for lock in Path(directory).glob(f"{PREFIX}*/{LOCK}"):
        folder = lock.parent
        with suppress(OSError), FileLock(lock, timeout=0):  # Timeout: its writer lives
            for name in {*os.listdir(folder)} - {LOCK, ASIDE}:
                place = folder.parent / name
                if not place.exists():
                    with suppress(FileNotFoundError):
                        os.rename(folder / ASIDE, place)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def only_writer(directory: AnyPath) -> Iterator[None]:
    """Keep a folder for one training: no other process or thread has it inside the block.

    Raises InputError where another has it, or where no file can be written. Makes the folder.
    """
    check_writable(directory)
    file = Path(directory).resolve() / TRAINING
    is_new = not file.parent.exists()
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        received = f"{directory}. Wait, or name another by --output"
        raise InputError("a folder that no other training writes to", received) from None
    except OSError:
        warn("this folder's file system has no locks: start no second training into it")
    try:
        restore(directory)
        yield
    finally:
        if lock.is_locked:
            file.unlink(missing_ok=True)
        lock.release()
        if is_new:
            with suppress(OSError):  # where nothing came of it, it is empty
                file.parent.rmdir()


def check_writable(directory: AnyPath, model: AnyPath | None = None) -> None:
    """Raise InputError where no file can be written to a directory, or what is there would be lost.

    model: to be written into it, with REPORTS. Where the directory is missing, the nearest one
    above it counts. Makes nothing.
    """
    if model and os.path.exists(model) and not os.path.isdir(model):
        raise InputError("a place for a model directory", f"{model}, a file")
    if model:
        restore(directory)  # a model that a killed training has left aside
        own = [x for x in REPORTS if os.path.exists(os.path.join(directory, x))]
        drawn = is_figure(os.path.join(directory, "contrastive_training_pairs.png"))
        if own and not os.path.exists(model) and not drawn:
            received = f"{directory} with {' and '.join(own)}. Move or delete them, or name another"
            raise InputError("a folder in which nothing would be lost", received)
    path = Path(directory).absolute()
    try:
        folder = next(filter(Path.exists, (path, *path.parents)))
        with tempfile.TemporaryFile(dir=folder) as f:
            f.write(b"x")
    except OSError as error:
        received = f"{directory} ({error.strerror}). Take another, or a copy of it"
        raise InputError("a folder that can be written to", received) from None


def is_figure(path: AnyPath) -> bool:
    """Whether a file is there that Matplotlib has drawn: it writes its name into each."""
    can_be_read = os.path.isfile(path) and os.access(path, os.R_OK)
    return can_be_read and b"atplotlib" in Path(path).read_bytes()


@contextmanager
def plain_path(directory: AnyPath) -> Iterator[str]:
    r"""A path to a directory that TensorFlow can read and write, a link where that is needed.

    TensorFlow takes []?*\ in a path for a pattern, and wants UTF-8.
    """
    path = os.path.abspath(directory)
    if path.isprintable() and not (set("[]?*\\") - {os.sep}) & set(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="contrastive-") as folder:
        link = os.path.join(folder, "model")
        os.symlink(path, link, target_is_directory=True)
        yield link


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    # a place of the same name in a temporary folder beside `path`, which goes after the block
    path.parent.mkdir(parents=True, exist_ok=True)
    restore(path.parent)
    try:
        folder, lock = _locked_folder(path.parent)
        try:
            yield folder / path.name
        finally:
            with suppress(OSError):
                if not path.exists():  # the block ended between the two renames
                    os.rename(folder / ASIDE, path)
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    except OSError as error:  # a full disk says what is wrong, but not with which file
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _locked_folder(parent: Path) -> tuple[Path, FileLock]:
    while True:  # once, unless another process took the folder for litter before it was locked
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = FileLock(folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        except OSError:  # a file system without locks
            pass
        if folder.is_dir():
            return folder, lock


def _sync(files: Iterable[Path]) -> None:
    for file in files:
        with open(file, "rb+") as f:
            os.fsync(f.fileno())
