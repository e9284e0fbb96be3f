"""What a user can mend, told from what is a bug."""


class InputError(ValueError):
    """A flag, file, folder, name or array that is not what it should be.

    Its text is one line: what was expected, what came, how to mend it. The scripts print it and
    end with code 2; any other exception is a bug and shows its traceback.
    """


def first_line(error: BaseException) -> str:
    """An exception's text up to its first line break, or its name where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
