"""Files and directories that are there whole or not at all, whoever else writes beside."""

import errno
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from pyimagesearch.system import locks, temporary
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.exchange import exchange

AnyPath = str | os.PathLike
T = TypeVar("T")
log = logging.getLogger(__name__)

TRAINING = ".contrastive-training.lock"
WRITING = ".contrastive-writing.lock"


@contextmanager
def whole_file(path: AnyPath) -> Iterator[str]:
    """Give a path to write to; what is written there replaces `path` at the end of the block.

    Where the block raises, or the process dies in it, `path` is as it was before. Of several
    writers at a time each writes a whole file, and the last one's stays. Raises OSError with
    the name of `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.own_folder(path.parent) as folder:
            new = folder / "new" / path.name  # matplotlib and OpenCV go by the ending
            yield str(new)
            _sync(new)
            os.replace(new, path)
    except OSError as error:
        raise _named(error, path) from None


@contextmanager
def whole_directory(path: AnyPath) -> Iterator[str]:
    """Do the same for a directory: the path that is given is to be made by the block.

    Where the system can (Linux, macOS) the new one and the old one exchange their names.
    Elsewhere the old one is moved aside first, and for that moment find_directory finds it there.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.own_folder(path.parent) as folder:
            new = folder / "new" / path.name
            yield str(new)
            for file in new.rglob("*"):
                if file.is_file():
                    _sync(file)
            with locked(path):
                _put(new, path, folder / "old" / path.name)
    except OSError as error:
        raise _named(error, path) from None


def _put(new: Path, path: Path, old: Path) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    while True:
        if path.exists():
            if exchange(new, path):
                return
            os.rename(path, old)
        try:
            return os.rename(new, path)
        except OSError:
            if not path.exists():  # else somebody was quicker, and theirs is the one to replace
                raise
            shutil.rmtree(old, ignore_errors=True)


def find_directory(path: AnyPath) -> Path:
    """Where the directory `path` is to be read: there, or where a writer that died has put it.

    Changes nothing. While a writer that lives is exchanging it, waits up to two seconds.
    """
    path = Path(path).resolve()
    end = time.monotonic() + 2
    while not path.exists():
        aside = [f for f in temporary.folders(path.parent) if (f / "old" / path.name).is_dir()]
        if not aside:
            break
        for folder in aside:
            if time.monotonic() >= end or temporary.is_dead(folder):
                return folder / "old" / path.name
        time.sleep(0.01)
    return path


def read_whole(path: AnyPath, read: Callable[[Path], T]) -> T:
    """What read(place) gives for the directory `path`, read anew where it was replaced.

    So no reader gets one file of the old directory and another of the new. Raises what `read`
    raises of a directory that stayed as it was; InputError where it is replaced all the time.
    """
    for tries in range(20):
        place = find_directory(path)
        before = state(place)
        try:
            result = read(place)
        except Exception:
            # one that is missing may be between the two renames of a writer: a few more tries
            if state(place) == before and (before != "missing" or tries >= 4):
                raise
            time.sleep(0.01)
        else:
            if state(place) == before:
                return result
    raise InputError(
        f"Expected a directory that stays while it is read. Received: {path}, replaced each time. "
        "Try again when nothing writes to it."
    )


@contextmanager
def only_writer(directory: AnyPath) -> Iterator[None]:
    """Keep a folder for one training: no other process or thread has it inside the block.

    Raises InputError where another has it, or where no file can be written. Where the file
    system has no locks, says so and goes on. Clears away what killed writers have left.
    """
    check_writable(directory)
    directory = Path(directory).resolve()
    with ExitStack() as stack:
        try:
            has_locks = stack.enter_context(locks.hold(directory / TRAINING))
        except locks.Taken:
            raise InputError(
                f"Expected a folder that no other training writes to. Received: {directory}. "
                "Wait for the other one, or name another folder with --output."
            ) from None
        if not has_locks:
            log.info("this folder's file system has no locks: start no second training into it")
        temporary.clear(directory)
        yield


@contextmanager
def locked(path: AnyPath) -> Iterator[None]:
    """Let one at a time write to `path`, for a short while: the others wait up to a minute.

    All that is in one folder shares one lock. whole_directory takes it for the exchange, so
    who has it and finds the directory's state unchanged writes into that very directory.
    Raises InputError after a minute; where the file system has no locks, goes on.
    """
    folder = Path(path).resolve().parent
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.hold(folder / WRITING, seconds=60))
        except locks.Taken:
            raise InputError(
                f"Expected to write to {path}. Received: a lock that another process has held "
                "for a minute. Try again when it has ended."
            ) from None
        yield


def state(path: AnyPath) -> str:
    """Size, times and inode of a file or directory, as text: what was replaced has another."""
    try:
        stat = os.stat(path)
    except OSError:
        return "missing"
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def check_writable(directory: AnyPath, model: AnyPath | None = None) -> None:
    """Make the directory where it is missing; raise InputError where no file can be written.

    model: a path to become a directory, which must not be a file.
    """
    if model and os.path.exists(model) and not os.path.isdir(model):
        raise InputError(f"Expected a place for a model directory. Received: {model}, a file.")
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=str(directory)) as f:
            f.write(b"x")
    except OSError as error:
        raise InputError(
            f"Expected a folder that can be written to. Received: {directory} "
            f"({error.strerror}). Name another with --output."
        ) from None


def _named(error: OSError, path: Path) -> OSError:
    # a full disk says what is wrong, but not with which file
    return OSError(error.errno, error.strerror or str(error), str(path))


def _sync(path: Path) -> None:
    with open(path, "rb+") as f:
        os.fsync(f.fileno())
