"""What the scripts share at the terminal: one start, one end, one form of messages.

Importing this module has no effect. A script calls setup() before it imports Keras, and ends
with run(main). Set TF_CPP_MIN_LOG_LEVEL (0: all of them) to see TensorFlow's start-up lines.
"""

import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from pyimagesearch.system.errors import InputError, first_line
from pyimagesearch.system.progress_bar import ProgressBar
from pyimagesearch.system.threads import of_each

LOGGER = "pyimagesearch"
_stderr = threading.RLock()  # one thread at a time turns it away


class Messages(logging.Handler):
    """Shows each record as a line "[INFO] …", at once.

    On standard output; on standard error while a program reads the output. A line break in front
    of a message stands in front of "[INFO]": it ends the line of a progress bar.
    """

    program_output = False

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        line = text.lstrip("\n")
        breaks = "\n" * (len(text) - len(line))
        stream = sys.stderr if self.program_output else sys.stdout
        print(f"{breaks}[{record.levelname}] {line}", file=stream, flush=True)


_messages = Messages()


def show_messages(program_output: bool = False) -> None:
    """Show this project's messages; program_output: standard output is a program's to read."""
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.INFO)
    if _messages not in logger.handlers:
        logger.addHandler(_messages)
    _messages.program_output = program_output


def setup(program_output: bool = False, keras: bool = True) -> None:
    """Prepare this process for a script: call it once, before Keras is imported.

    Shows messages, line by line; imports TensorFlow and Keras without their start-up lines and
    with the settings that this project is written for, whatever the machine's are; silences the
    libraries that read images. Computes nothing and claims no GPU memory. Once more is harmless.
    keras: False leaves TensorFlow and Keras, which take seconds, to setup_keras.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that this terminal cannot show is no error
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    show_messages(program_output)
    ProgressBar.wanted = True
    # a root without any gets one from TensorFlow's absl, which shows each message once more
    logging.getLogger().addHandler(logging.NullHandler())
    silence_image_libraries()  # before Keras, which imports OpenCV where it finds it
    if keras:
        setup_keras()


def setup_keras() -> None:
    """The part of setup that imports TensorFlow and Keras; ends the process where it cannot."""
    try:
        _import_keras()
    except (ImportError, ValueError) as error:  # Keras: a damaged keras.json
        print(f"{_script()}: error: {first_line(error)}", file=sys.stderr)
        sys.exit(2)


def _import_keras() -> None:
    ignored = []
    if (asked := os.environ.get("KERAS_BACKEND", "tensorflow")) != "tensorflow":
        ignored.append(f"backend {asked}")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # a GPU's memory is taken as it is needed: a variable, since asking for the devices starts them
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    # TensorFlow writes some lines before it has read this variable: those are for quiet()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import keras
        import tensorflow as tf

    # RuntimeError: this process has computed with TensorFlow already, and its threads are there
    with suppress(RuntimeError):
        # one thread a layer on up to four cores: see networks/acceleration.py
        tf.config.threading.set_intra_op_parallelism_threads(of_each())

    config = keras.config
    if config.backend() != "tensorflow":
        raise ImportError(
            f"Expected Keras on TensorFlow. Received: {config.backend()}, which was imported "
            "before. Call terminal.setup() first."
        )
    wanted = [
        ("floatx", "float32", config.floatx, config.set_floatx),
        ("image_data_format", "channels_last", config.image_data_format,
            config.set_image_data_format),
        ("epsilon", 1e-7, config.epsilon, config.set_epsilon),
        ("max_epochs", None, config.max_epochs, config.set_max_epochs),
        ("max_steps_per_epoch", None, config.max_steps_per_epoch, config.set_max_steps_per_epoch),
    ]  # fmt: skip
    for name, value, get, change in wanted:
        if (found := get()) != value:
            ignored.append(f"{name} {found}")
            change(value)
    if (policy := config.dtype_policy().name) != "float32":
        ignored.append(f"dtype_policy {policy}")
        config.set_dtype_policy("float32")
    if ignored:
        log = logging.getLogger(__name__)
        log.info("Keras' settings on this machine say %s: not used here", ", ".join(ignored))


@contextmanager
def quiet() -> Iterator[None]:
    """Hide what a library's C++ writes to stderr, unless TF_CPP_MIN_LOG_LEVEL is below 3.

    The file descriptor itself is turned away, for the whole process: for as short as possible.
    Python's exceptions are not touched.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
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


def silence_image_libraries() -> None:
    """Let Pillow, libtiff and OpenCV write nothing of their own about broken image files.

    What is wrong with a file is said in one line, by name. Part of setup().
    """
    import ctypes

    from PIL import Image

    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**28))
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with suppress(OSError, AttributeError):  # Pillow's libtiff writes to stderr past Python
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
    if cv2 := sys.modules.get("cv2"):  # imported before it was asked to be silent
        with suppress(AttributeError):
            cv2.utils.logging.setLogLevel(0)


def run(main: Callable[[], object], name: str | None = None) -> NoReturn:
    """Run a script's main and end the process with its exit code.

    What a user can mend (InputError, OSError, too little memory) is one line and code 2. Any
    other exception is a bug: its traceback, a line that says so, and code 2 as well, since
    `compare` answers with 1. Ctrl-C: 130. A closed pipe, as of `| head`: 141, without a word.
    name: what stands in front of an error, by default the script's name.
    """
    name = name or _script()
    if _messages not in logging.getLogger(LOGGER).handlers:
        show_messages()
    code: str | int | None = 0
    try:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_output()
        code = 141
    except KeyboardInterrupt:
        print("\n[INFO] interrupted", file=sys.stderr)
        code = 130
    except (InputError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:  # perhaps the output's disk
            _leave_output()
        print(f"{name}: error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except Exception as error:
        if _is_memory(error):
            advice = "a smaller --batch-size or --image-size needs less memory"
            print(f"{name}: error: {first_line(error)}; {advice}", file=sys.stderr)
        else:
            traceback.print_exc()
            line = "a bug of this project, not of what you did: please report the lines above"
            print(f"{name}: error: {line}", file=sys.stderr)
        code = 2
    sys.exit(code)


def _script() -> str:
    return os.path.basename(sys.argv[0])


def _is_memory(error: Exception) -> bool:
    tf = sys.modules.get("tensorflow")
    return isinstance(error, MemoryError) or (
        tf is not None and isinstance(error, tf.errors.ResourceExhaustedError)
    )


def _leave_output() -> None:
    # what is still buffered for a closed pipe or a full disk would fail again at exit
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def verbosity() -> str | int:
    """For fit: Keras' progress bar on a terminal, a line an epoch in a log."""
    return "auto" if sys.stdout.isatty() else 2
