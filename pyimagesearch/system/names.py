"""Names of files and classes, as text that a terminal or a figure can show."""

import os
import re
from pathlib import Path

# control characters, line separators, and what would turn the direction of the text
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(name: str | bytes | os.PathLike) -> str:
    r"""A name on one line, whatever bytes it holds.

    A byte that is no UTF-8, as E9, is shown as \udce9, and what has no place in a line as "?".
    """
    text = str(Path(os.fsdecode(name))).encode("utf-8", "backslashreplace").decode()
    return UNPRINTABLE.sub("?", text)
