"""Two names of a file system changing places in one step."""

import ctypes
import errno
import os
import sys
from pathlib import Path


def exchange(a: Path, b: Path) -> bool:
    """Let two names change places, so that neither is missing at any time.

    Linux and macOS can, on most of their file systems; False where nothing was done because it
    is not possible. Raises OSError where it is, but went wrong, as for a name that is missing.
    """
    names = (ctypes.c_char_p(os.fsencode(a)), ctypes.c_char_p(os.fsencode(b)))
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform.startswith("linux"):  # -100: from the working directory; 2: exchange
            failed = library.renameat2(-100, names[0], -100, names[1], ctypes.c_uint(2))
        elif sys.platform == "darwin":  # 2: swap
            failed = library.renamex_np(*names, ctypes.c_uint(2))
        else:
            return False
    except (AttributeError, OSError, TypeError):  # a C library without it
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(b))
