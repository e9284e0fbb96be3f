"""Where the cache lies, how large it is, how it is cleared, and what is done where it fails."""

import logging
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import filelock

from pyimagesearch.data.cache_index import LOCK, PATIENCE, Cache, remove, size_of
from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def place() -> Path:
    """The cache's folder: $CONTRASTIVE_CACHE, or where this system keeps caches."""
    if named := os.environ.get("CONTRASTIVE_CACHE"):
        return Path(named)
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():  # a user without a home
        home = Path(tempfile.gettempdir())
    if sys.platform == "win32":
        caches = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        caches = home / "Library" / "Caches"
    else:
        caches = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(caches) / "contrastive-siamese"


def size() -> int:
    """How many bytes the cache has."""
    return size_of(place())


def clear() -> int:
    """Delete the cache, and nothing else that lies in its folder. Returns how many bytes it had."""
    folder = place()
    if not folder.is_dir():
        return 0
    with filelock.FileLock(folder / LOCK, timeout=PATIENCE):
        before = size_of(folder)
        remove(folder)
    return before


def use(work: Callable[["Cache"], Result], say: bool = True) -> Result:
    """work(cache); once more where the cache fails, with an empty one in a temporary folder.

    say: whether to log where what was added is kept.
    What is mapped from a cache can be read after this.
    """
    for _ in range(2):
        folder = place()
        try:
            with Cache(folder) as cache:
                result = work(cache)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            if type(error) is sqlite3.DatabaseError:  # torn, or no index at all
                with suppress(OSError):
                    remove(folder)
            elif not isinstance(error, FileNotFoundError):  # which a clear() in between brings
                break
        else:
            if cache.added and say:
                log.info(
                    "pixels and embeddings are kept in %s, %s MB; CONTRASTIVE_CACHE names "
                    "another place", printable(folder), f"{-(-size_of(folder) // 10**6):,}",
                )  # fmt: skip
            return result
    log.info("the cache cannot be used (%s): this run keeps nothing for the next", reason)
    with (
        tempfile.TemporaryDirectory(prefix="contrastive-", ignore_cleanup_errors=True) as temporary,
        Cache(Path(temporary)) as cache,
    ):
        return work(cache)
