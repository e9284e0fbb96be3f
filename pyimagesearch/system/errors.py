"""What a user can mend, told from what is a bug; and names as text for one line."""

import os
import re
from pathlib import Path

# control characters, line separators, and what would turn the direction of the text
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class InputError(ValueError):
    """A flag, file, folder, name or array that is not what it should be.

    Its text is one line: what was expected, what came, how to mend it. The scripts print it and
    end with code 2; any other exception is a bug and shows its traceback.
    """


def first_line(error: BaseException) -> str:
    """An exception's text up to its first line break, or its name where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def printable(name: str | bytes | os.PathLike) -> str:
    r"""A name on one line, for a terminal or a figure, for any bytes that a file name may hold.

    A byte that is no UTF-8, as E9, is shown as \udce9, and what has no place in a line as "?".
    """
    text = str(Path(os.fsdecode(name))).encode("utf-8", "backslashreplace").decode()
    return UNPRINTABLE.sub("?", text)


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A number of things, in words: "1 image", "2 images"."""
    return f"{count} {noun}{plural if count != 1 else ''}"
