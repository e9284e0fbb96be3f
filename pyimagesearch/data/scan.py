"""What lies in a folder and its subfolders: image files, and what else, counted."""

import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pyimagesearch.data import images
from pyimagesearch.data.images import endings
from pyimagesearch.data.leftovers import LINKED, ending_of
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scan:
    """What lies in a folder. Names are paths from `base` on."""

    base: str
    path: str
    tops: dict[str, list[str]]  # of each subfolder the image files in it, however deep
    loose: list[str]  # image files in the folder itself
    beside: Counter  # what else lies in the folder itself, by ending or reason
    inside: Counter  # and in its subfolders

    @classmethod
    def of(cls, base: str, path: str) -> "Scan":
        """Look through a folder. A link to a folder is followed here, but not further inside."""
        scan = cls(base, path, {}, [], Counter(), Counter())
        kinds = endings()
        around = [Path(path).resolve(), *Path(path).resolve().parents]
        try:
            entries = sorted(os.listdir(path))
        except OSError as error:
            raise InputError(f"{printable(path)}: cannot be opened ({error.strerror})") from None
        for name in entries:
            entry = os.path.join(path, name)
            if images.hidden(name):
                continue
            if not os.path.isdir(entry):
                scan._sort(entry, kinds, scan.loose, scan.beside)
                continue
            if Path(entry).resolve() in around:
                log.info("left out %s: a link to a folder around it", printable(name))
                scan.beside[LINKED] += 1
                continue
            scan.tops[name] = []
            for file in images.walk(entry, scan.inside):
                scan._sort(file, kinds, scan.tops[name], scan.inside)
        return scan

    def full(self) -> list[str]:
        """The subfolders that hold images."""
        return [top for top, names in self.tops.items() if names]

    def into(self, top: str) -> "Scan":
        """The scan of one of the subfolders."""
        return Scan.of(self.base, os.path.join(self.path, top))

    def below(self, name: str) -> tuple[str, ...]:
        """A name's path from this folder on."""
        path = os.path.join(self.base, name)
        return tuple(images.from_folder_on(path, self.path).split(os.sep))

    def _sort(self, path, kinds, taken, left):
        if images.looks_like_image(path, kinds):
            taken.append(images.from_folder_on(path, self.base))
        else:
            left[ending_of(path)] += 1
