"""Names of files and classes, as text that a terminal or a figure can show."""

import re
from pathlib import Path


def printable(path):
    """A file's name on one line, whatever bytes it holds."""
    name = str(Path(path)).encode("utf-8", "backslashreplace").decode()
    # control characters, line separators, and what would turn the direction of the text
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "?", name)
