"""Paths that TensorFlow can read, for directories of any name."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import AnyPath, state


@contextmanager
def plain_path(path: AnyPath) -> Iterator[str]:
    r"""Give a path to the directory `path` that TensorFlow can read and write.

    TensorFlow takes []?*\ in a path for a pattern, and wants UTF-8. The path itself where it has
    none of that; else a link to it in a temporary folder; where no link can be made, a copy,
    from which what the block changed is copied back.
    """
    path = Path(path).resolve()
    if _is_plain(path):
        yield str(path)
        return
    places = [tempfile.gettempdir(), "/tmp", "/var/tmp", str(Path.home())]
    place = next((p for p in places if _is_plain(p) and os.access(p, os.W_OK)), None)
    if place is None:
        raise InputError(
            f"Expected a folder for temporary files whose name TensorFlow can read. "
            f"Received: {tempfile.gettempdir()}. Name another in the variable TMPDIR."
        )
    with tempfile.TemporaryDirectory(prefix="contrastive-", dir=place) as folder:
        link = Path(folder) / "directory"
        try:
            link.symlink_to(path, target_is_directory=True)
            copied = None
        except (OSError, NotImplementedError):  # Windows without the right to make links
            shutil.copytree(path, link)
            copied = _states(link)
        yield str(link)
        if copied is None:
            link.unlink()
            return
        for name, now in _states(link).items():
            if copied.get(name) != now:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(link / name, path / name)


def _is_plain(path: AnyPath) -> bool:
    name = os.fspath(path)
    special = "[]?*" if os.name == "nt" else "[]?*\\"
    return name.isprintable() and not set(special) & set(name)


def _states(directory: Path) -> dict[Path, str]:
    files = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory): state(file) for file in files}
