"""What a user can mend, told from what is a bug."""


class InputError(ValueError):
    """Raised where a flag, file, folder, name or array is not what it should be.

    Its text says what was expected, what came and how to mend it. The scripts print it as one
    line and end with code 2; anything else is a bug and shows its traceback.
    """
