"""Locks that end with their process, whichever way it ends."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import lock_descriptor

log = logging.getLogger(__name__)

_here: set[str] = set()  # what this process holds: some network disks lock processes, not threads
_guard = threading.Lock()


class Taken(Exception):
    """Another process, or another thread of this one, holds the lock."""


@contextmanager
def hold(path: str | os.PathLike, seconds: float = 0, make: bool = True) -> Iterator[bool]:
    """Hold the lock file `path` inside the block; whether the file system has locks at all.

    The file is made for it and taken away at the end, so that nothing of it stays; it may stay
    after a process was killed, and does no harm: what counts is the lock, which is gone.
    seconds: how long to wait for another to let go of it. Raises Taken after that.
    make: False leaves the file as it is, and raises FileNotFoundError where there is none.
    """
    name = os.path.realpath(path)
    end = time.monotonic() + seconds
    while (descriptor := _take(name, make)) is None:
        if time.monotonic() >= end:
            raise Taken(name)
        time.sleep(0.01)
    try:
        yield descriptor >= 0
    finally:
        _let_go(name, descriptor, make)


def _take(name: str, make: bool) -> int | None:
    # an open descriptor with its lock, None where another has it, -1 where there are no locks
    with _guard:
        if name in _here:
            return None
        _here.add(name)
    descriptor, taken = -1, False
    try:
        descriptor = os.open(name, os.O_RDWR | (os.O_CREAT if make else 0), 0o666)
        # a file that its holder has taken away meanwhile guards nothing any more
        taken = lock_descriptor(descriptor, blocking=False) and _is(descriptor, name)
        return descriptor if taken else None
    except FileNotFoundError:
        raise
    except OSError as error:  # no lock daemon, a file system without locks, a folder only to read
        taken = True
        log.debug("no lock for %s: %s", name, error)
        if descriptor >= 0:
            os.close(descriptor)
            descriptor = -1
            if make:
                Path(name).unlink(missing_ok=True)
        return -1
    finally:
        if not taken:
            if descriptor >= 0:
                os.close(descriptor)
            with _guard:
                _here.discard(name)


def _is(descriptor: int, name: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name))
    except FileNotFoundError:
        return False


def _let_go(name: str, descriptor: int, remove: bool) -> None:
    try:
        if descriptor < 0:
            return
        if remove and os.name != "nt":  # before the lock is gone: nobody else's can be there
            Path(name).unlink(missing_ok=True)
        os.close(descriptor)
        if remove and os.name == "nt":  # which refuses it while anybody has the file open
            with suppress(OSError):
                Path(name).unlink(missing_ok=True)
    finally:
        with _guard:
            _here.discard(name)
