"""What the scripts share at the terminal: start and end, messages and errors, flags.

A script calls setup() before it imports Keras, and ends with run(main). Set
TF_CPP_MIN_LOG_LEVEL (0: all of them) to see TensorFlow's start-up lines.
"""

import argparse
import ctypes
import gc
import logging
import os
import platform
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from itertools import chain
from typing import Any, NoReturn

from pyimagesearch import __version__

LOGGER, LINE = "pyimagesearch", logging.Formatter("[%(levelname)s] %(message)s")
MOST_LINES = 20  # of one kind
SWITCHES = ("quick", "mirror", "resume", "deterministic", "calibrate", "force")  # without a value
# that this process may use: fewer than the machine has where a scheduler says so
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
AT_ONCE = min(CORES, 4)  # so many parts of a batch, or files, are worked on at a time
# control characters, line separators, and what would turn the direction of the text
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_stderr = threading.RLock()  # one thread at a time turns it away


class InputError(ValueError):
    """A flag, file, folder, name or array that is not what it should be.

    Its text is one line: what was expected, what came, how to mend it. The scripts print it and
    end with code 2; any other exception is a bug and shows its traceback.
    """

    in_python = False  # whether a program reads it, which asked for this package's names

    def __init__(self, expected: str, received: object = None):
        """expected: what, in words; or the whole text, where nothing is received."""
        text = expected if received is None else f"Expected {expected}. Received: {received}"
        text += "" if received is None or text[-1] in '.?"' else "."
        super().__init__(worded(text))


def worded(text: str) -> str:
    """A message in its reader's words: of a flag, --class-level, a program says class_level=."""
    if not InputError.in_python:
        return text
    flag = r"(?<!\S)--([a-z]+(?:-[a-z]+)*)"
    return re.sub(flag, lambda x: f"{x[1].replace('-', '_')}={'True' * (x[1] in SWITCHES)}", text)


def first_line(error: BaseException) -> str:
    """An exception's text up to its first line break, or its name where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def printable(name: str | bytes | os.PathLike) -> str:
    r"""A name on one line, for a terminal or a figure, for any bytes that a file name may hold.

    A byte that is no UTF-8, as E9, is shown as \udce9, and what has no place in a line as "?".
    """
    return UNPRINTABLE.sub("?", os.fsdecode(name).encode("utf-8", "backslashreplace").decode())


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A number of things, in words: "1 image", "2 images"."""
    return f"{count} {noun}{plural if count != 1 else ''}"


class Messages(logging.StreamHandler):
    """Shows each message as a line."""

    format = LINE.format

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # a closed pipe, or a full disk, which run knows


def setup(program_output: bool = False, keras: bool = True) -> None:
    """Prepare this process for a script: call it before Keras is imported.

    Shows this project's messages, on standard error where program_output: standard output is a
    program's to read. Silences the library that reads images. Imports TensorFlow and Keras, unless
    keras is False: they take seconds. Hides their start-up lines, and ignores a keras.json.
    Computes nothing, claims no GPU memory, may be called again.
    """
    InputError.in_python = False
    if not hasattr(sys, "ps1"):  # at no prompt: what fails as packages are imported ends as in run
        sys.excepthook = lambda kind, error, trace: end_with(error)
    # NumPy's own threads wait busily, and distances are computed by several threads already
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # a service may have no console: then the numbers 0 to 2 are free, and no file is to get one
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that this terminal cannot show is no error
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    logger.handlers = [Messages(sys.stderr if program_output else sys.stdout)]
    # a root without any handler gets one from TensorFlow's absl, which repeats each message
    logging.root.addHandler(logging.NullHandler())
    # what is wrong with an image file is said in one line, by name, and not by Pillow, too
    import PIL.Image

    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with suppress(OSError, AttributeError):  # Pillow's libtiff writes to stderr past Python
        ctypes.CDLL(PIL.Image.core.__file__).TIFFSetErrorHandler(None)
    if not keras:
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if platform.machine() in ("x86_64", "AMD64"):  # TensorFlow leaves oneDNN off on older ones
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # a GPU's memory is taken as it is needed: a variable, since asking for the devices starts them
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # TensorFlow writes some lines before it has read this variable: those are for quiet()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # collecting garbage, and Matplotlib, which only Keras' plots need, take a third of the start
    gc.disable()
    unused = {"matplotlib", "matplotlib.pyplot"} - {*sys.modules}
    sys.modules.update(dict.fromkeys(unused))  # type: ignore[arg-type]  # None: no such module
    try:
        with quiet():
            import keras as k
            import tensorflow as tf
    except (ImportError, ValueError) as error:  # ValueError: a damaged keras.json
        print(f"{os.path.basename(sys.argv[0])}: error: {first_line(error)}", file=sys.stderr)
        sys.exit(2)
    for name in unused:
        del sys.modules[name]
    gc.freeze()
    gc.enable()
    # RuntimeError: this process has computed with TensorFlow already, and its threads are there
    with suppress(RuntimeError):
        # one thread a layer on up to four cores: see networks/acceleration.py
        tf.config.threading.set_intra_op_parallelism_threads(max(CORES // 4, 1))
    k.config.set_image_data_format("channels_last")
    k.config.set_floatx("float32")
    k.config.set_dtype_policy("float32")
    k.config.set_epsilon(1e-7)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what a library's C++ writes to stderr, unless TF_CPP_MIN_LOG_LEVEL is below 3.

    The file descriptor is turned away for the whole process; Python's exceptions are not touched.
    """
    if sys.stderr is None or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        yield
        return
    with _stderr:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def run(main: Callable[[], object]) -> NoReturn:
    """Run a script's main and end the process with its exit code: 0, or as end_with says."""
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        end_with(error)
    sys.exit(0)


def end_with(error: BaseException) -> NoReturn:
    """End the process as an exception asks for it.

    What a user can mend (InputError, OSError, too little memory) is one line and code 2. Any
    other exception is a bug: its traceback, a line that says so, and code 2 as well, since
    `compare` answers with 1. Ctrl-C: 130. A closed pipe, as of `| head`: 141, without a word.
    """
    if isinstance(error, KeyboardInterrupt):
        print("\n[INFO] interrupted", file=sys.stderr)
        sys.exit(130)
    if isinstance(error, OSError) and error.filename is None:
        # perhaps a closed pipe or a full disk: what is still buffered would fail again at exit
        with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        sys.exit(141)
    if isinstance(error, InputError | OSError) or type(error).__module__ == "sqlite3":
        message = " ".join(str(error).split())
    # TensorFlow's is told by its name: it may not be imported here
    elif isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        message = f"{first_line(error)}; in training a smaller --batch-size or --image-size helps"
    elif isinstance(error, ImportError) and error.name == "cv2":
        message = f"OpenCV cannot be imported ({error}). On a machine without a screen: pip "
        message += "uninstall opencv-python, then pip install opencv-python-headless"
    else:
        traceback.print_exception(error)
        message = "a bug of this project, not of what you did: please report the lines above"
    print(f"{os.path.basename(sys.argv[0])}: error: {message}", file=sys.stderr)
    sys.exit(2)


@contextmanager
def shown(verbose: bool) -> Iterator[None]:
    """Inside the block show messages to a program as a script does, or none of them."""
    (logger, tensorflow) = (logging.getLogger(LOGGER), logging.getLogger("tensorflow"))
    before = (logger.level, logger.handlers, logger.propagate)
    # a fifth training in one process is no reason to warn, and a temporary place is no news
    noise = re.compile("retracing|Assets written")
    tensorflow.addFilter(needed := lambda record: not noise.search(record.getMessage()))
    if not verbose:
        logger.setLevel(logging.ERROR)
    elif not logger.isEnabledFor(logging.INFO):  # else the program shows them already
        logger.setLevel(logging.INFO)
        (logger.handlers, logger.propagate) = ([Messages(sys.stdout)], False)
    try:
        yield
    finally:
        tensorflow.removeFilter(needed)
        logger.setLevel(before[0])
        (logger.handlers, logger.propagate) = before[1:]


def say(messages: str | Iterable[str], level: int = logging.INFO) -> None:
    """Log a line, or some lines of one kind, of which twenty at most are shown."""
    lines = [messages] if isinstance(messages, str) else list(messages)
    more = [f"and {len(lines) - MOST_LINES:,} more like this"] if len(lines) > MOST_LINES else []
    for line in [*lines[:MOST_LINES], *more]:
        logging.getLogger(LOGGER).log(level, worded(line))


def warn(messages: str | Iterable[str]) -> None:
    """Say what a user should not miss: Python shows it, too, where a program sets up no logging."""
    say(messages, logging.WARNING)


def verbosity() -> str | int:
    """For fit: Keras' progress bar on a terminal, a line an epoch in a log, or nothing."""
    shows = logging.getLogger(LOGGER).isEnabledFor(logging.WARNING)
    return ("auto" if sys.stdout.isatty() else 2) if shows else 0


@contextmanager
def progress_bar(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Give a function that is told how many more of all are done: it shows a bar, the time left.

    what: what is counted, "images read". Only after setup, and where standard error is a terminal.
    """
    if not (logging.getLogger(LOGGER).handlers and sys.stderr.isatty()):
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        yield partial(bar.advance, bar.add_task(what, total=total))


class Parser(argparse.ArgumentParser):
    """argparse's, whose errors are InputErrors: one line, perhaps with the name that is meant."""

    def error(self, message: str) -> NoReturn:
        # not what an unknown flag was given, which may be an array
        message = re.sub(r"(unrecognized arguments: [^=\s]+).*", r"\1", message, flags=re.DOTALL)
        wrong = re.search(r"(?:arguments: |choice: ')([^\s']+)", message)
        of_commands = [x.choices.values() for x in self._actions if isinstance(x.choices, dict)]
        actions = chain(*(parser._actions for parser in chain([self], *of_commands)))
        typed = chain(*((*x.option_strings, *(x.choices or ())) for x in actions))
        name = wrong[1] if wrong else ""  # perhaps a flag of another command
        near = get_close_matches(name, sorted({*map(str, typed)} - {name}), 1, 0.75)
        meant = f", perhaps {near[0]} is meant" if near else ""
        more = "help(fit) names what it takes" if InputError.in_python else "--help lists the flags"
        raise InputError(f"{message}{meant}; {more}")


VERSION = Parser(add_help=False)  # the parent of every other
VERSION.add_argument("--version", action="version", version=__version__)
# how a folder of classes is read: name, what add_argument takes, help
CLASS_LEVEL = ("--class-level", {"type": int, "choices": (1, 2)},
    "which level of subfolders are the classes (what the folder looks like)")  # fmt: skip
GROUP_BY = ("--group-by", {"metavar": "REGEX"},
    "a pattern for file names: images whose names give the same text stay together")  # fmt: skip


def number(kind: type, fits: Callable[[Any], bool], wanted: str) -> Callable[[str], Any]:
    """For argparse: takes a number of a kind, int or float, that fits. wanted: in words."""

    def parse(text: str) -> Any:
        with suppress(ValueError):
            if fits(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"expected {wanted}, received {text!r}")

    return parse


positive_int = number(int, lambda n: 0 < n <= sys.maxsize, "a whole number from 1 up")
seed = number(int, lambda n: 0 <= n < 2**31, f"a whole number from 0 to {2**31 - 1}")
side = number(int, lambda n: 0 < n <= 4096, "a whole number from 1 to 4096")
share = number(float, lambda x: 0 < x < 1, "a number between 0 and 1")


def image_size(text: str) -> tuple[int, int]:
    """For argparse: "64", or "WIDTHxHEIGHT", as (height, width)."""
    with suppress(ValueError, argparse.ArgumentTypeError):
        (width, height) = map(side, text.split("x") * (2 - ("x" in text)))
        return (height, width)
    wanted = "64, or WIDTHxHEIGHT as 64x48, each a whole number from 1 to 4096"
    raise argparse.ArgumentTypeError(f"expected {wanted}, received {text!r}")
