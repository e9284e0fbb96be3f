"""What the scripts share at the terminal. Import it before anything that imports TensorFlow:
it does that itself, without TensorFlow's start-up lines.

Set TF_CPP_MIN_LOG_LEVEL (0: all of them) to see the lines.
"""

# import the necessary packages
import argparse
import os
import sys
from contextlib import contextmanager


@contextmanager
def quiet():
    """Hide what TensorFlow's C++ writes to stderr, unless TF_CPP_MIN_LOG_LEVEL is below 3.

    It writes some lines before it has read that variable, so the file descriptor itself is
    turned away for the start, and the variable is set for the rest. Python's exceptions are
    not touched.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with quiet():
    import tensorflow as tf

    # one thread a layer on up to four cores: see siamese_network.InParts
    tf.config.threading.set_intra_op_parallelism_threads(max(os.cpu_count() // 4, 1))
    tf.zeros(1)  # the first tensor brings a line of its own


def run(main, name=None):
    """Run a script's main, `name` in messages: what a user can mend is one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # a name that this terminal cannot show is no error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    code = 0
    try:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        sys.stdout.flush()
        sys.exit(code)
    except (ValueError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:  # standard output itself
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        name = name or os.path.basename(sys.argv[0])
        print(f"{name}: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, tf.errors.OpError) as error:  # a batch too large, or the like
        print(f"{name or sys.argv[0]}: error: {first_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\n[INFO] interrupted", file=sys.stderr)
        sys.exit(130)


def first_line(error):
    """An exception's text up to its first line break, or its name where it has no text."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def verbosity():
    """For fit: Keras' progress bar on a terminal, a line an epoch in a log."""
    return "auto" if sys.stdout.isatty() else 2


def positive_int(text):
    """For argparse: a whole number of 1 or more."""
    return _whole_number(text, lambda value: value >= 1, "from 1 up")


def image_size(text):
    """For argparse: "64", or "WIDTHxHEIGHT", as (height, width)."""
    sides = [
        _whole_number(side, lambda n: 1 <= n <= 4096, "from 1 to 4096") for side in text.split("x")
    ]
    if len(sides) > 2:
        raise argparse.ArgumentTypeError(f"expected 64 or WIDTHxHEIGHT, received {text!r}")
    return (sides[-1], sides[0])


def seed(text):
    """For argparse: a whole number from 0 to 2^31 - 1, which every generator takes."""
    return _whole_number(text, lambda value: 0 <= value < 2**31, "from 0 to 2147483647")


def _whole_number(text, fits, wanted):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, received {text!r}")
    return value
