"""Temporary folders beside what they are to replace, which outlive no writer for long.

A writer's folder, .contrastive-k3x9_z1q, holds
  lock   held while its writer lives: who can take it knows that the writer is dead
  new/   what is being written, under its final name
  old/   a directory that is being replaced, where the system cannot exchange two names
Nothing else in the parent folder is ever touched.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pyimagesearch.system import locks

PREFIX = ".contrastive-"
NAME = re.compile(re.escape(PREFIX) + "[a-z0-9_]{8}")  # as mkdtemp makes them
LOCK, NEW, OLD = "lock", "new", "old"


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """Make a temporary folder that is this writer's alone; it is gone after the block."""
    clear(parent)
    with ExitStack() as stack:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            try:
                stack.enter_context(locks.hold(folder / LOCK))
                break
            except (locks.Taken, FileNotFoundError):  # cleared away before it had its lock
                continue
        try:
            for part in (NEW, OLD):
                (folder / part).mkdir()
            yield folder
        finally:
            _empty(folder)
            stack.close()  # takes the lock away
            with suppress(OSError):
                folder.rmdir()


def clear(parent: Path) -> None:
    """Give back what dead writers had moved aside, and take their folders away.

    Where the file system has no locks, nobody is known to be dead, and all stays.
    """
    for folder in folders(parent):
        with suppress(OSError, locks.Taken), ExitStack() as stack:
            if (folder / LOCK).exists():
                if not stack.enter_context(locks.hold(folder / LOCK, make=False)):
                    continue
                _empty(folder)
                (folder / LOCK).unlink()
            folder.rmdir()  # refused where anything is in it


def folders(parent: Path) -> list[Path]:
    """The temporary folders in `parent`, of writers that live and of dead ones."""
    found = []
    with suppress(OSError):
        for name in filter(NAME.fullmatch, os.listdir(parent)):
            folder = parent / name
            with suppress(OSError):
                if not folder.is_symlink() and set(os.listdir(folder)) <= {LOCK, NEW, OLD}:
                    found.append(folder)
    return found


def is_dead(folder: Path) -> bool:
    """Whether the folder's writer is known to have ended."""
    try:
        with locks.hold(folder / LOCK, make=False) as has_locks:
            return has_locks
    except (OSError, locks.Taken):
        return False


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / NEW, ignore_errors=True)
    with suppress(OSError):
        for old in (folder / OLD).iterdir():
            place = folder.parent / old.name
            if place.exists():
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.rename(old, place)
        (folder / OLD).rmdir()
