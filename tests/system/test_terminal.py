"""How a script starts and ends, and shows messages."""

import json
import logging
import os
import sqlite3
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from tensorflow.errors import ResourceExhaustedError

from pyimagesearch.system import terminal
from pyimagesearch.system.terminal import InputError
from tests.scripts import python, started


def script(main):
    return SimpleNamespace(__name__="script", main=main)


def raising(error):
    return script(Mock(side_effect=error))


@pytest.mark.parametrize("error, line", [
        (InputError("Expected a folder.\nReceived: none."), "Expected a folder. Received: none."),
        (FileNotFoundError(2, "No such file", "a.png"), "[Errno 2] No such file: 'a.png'"),
        (sqlite3.OperationalError("database or disk is full"), "database or disk is full"),
        (MemoryError("Unable to allocate 3 GiB"), "Unable to allocate 3 GiB; in training"),
        (MemoryError(), "MemoryError; in training a smaller --batch-size"),
        (ImportError("no libGL", name="cv2"), "OpenCV cannot be imported (no libGL). On a machine"),
        (ResourceExhaustedError(None, None, "OOM\nGPU"), "OOM; in training a smaller --batch-size"),
    ])  # fmt: skip
def test_what_a_user_can_mend_is_one_line(error, line, ends):
    code, out, err = ends(raising(error))
    assert code == 2 and out == ""
    assert err.startswith(f"script: error: {line}") and err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("shapes"), KeyError("row")])
def test_a_bug_shows_its_traceback(error, ends):
    code, _, err = ends(raising(error))
    lines = err.splitlines()
    assert code == 2 and lines[0].startswith("Traceback")
    assert type(error).__name__ in err and "a bug of this project" in lines[-1]


def test_exit_codes(ends):
    assert ends(script(lambda: None))[0] == 0
    assert ends(script(lambda: sys.exit(1)))[0] == 1  # compare: different
    assert ends(raising(KeyboardInterrupt()))[0] == 130


def test_a_closed_pipe_ends_quietly():
    code = """
from pyimagesearch.system import terminal
terminal.setup(keras=False)
def main():
    while True:
        terminal.say("line")
terminal.run(main)
"""
    with started("-c", code, after="[INFO] line") as process:
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait() == 141


def test_ctrl_c_while_packages_are_imported():
    code = "from pyimagesearch.system import terminal; terminal.setup(keras=False)"
    done = python(f"{code}; raise KeyboardInterrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n[INFO] interrupted\n")


def test_messages(capsys):
    log = logging.getLogger("pyimagesearch.data")
    terminal.setup(keras=False)
    terminal.setup(keras=False)  # harmless
    log.info("%d to train on", 481)
    log.warning("careful")
    log.debug("not shown")
    assert capsys.readouterr() == ("[INFO] 481 to train on\n[WARNING] careful\n", "")
    terminal.setup(program_output=True, keras=False)
    log.info("for a person")
    assert capsys.readouterr() == ("", "[INFO] for a person\n")


def test_what_c_plus_plus_writes_is_hidden_where_it_is_not_asked_for(monkeypatch, capfd):
    for level, shown in ((None, ""), ("3", ""), ("0", "within\n")):
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        if level:
            monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
        before = dict(os.environ)
        with terminal.quiet(), terminal.quiet():
            os.write(2, b"within\n")
        os.write(2, b"after\n")
        assert capfd.readouterr().err == f"{shown}after\n" and dict(os.environ) == before


@pytest.mark.slow
def test_setup_is_quiet_and_starts_no_device_whatever_keras_is_told(tmp_path):
    told = {"floatx": "float16", "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / "keras.json").write_text(json.dumps(told))
    code = """
        import gc, os, sys
        from pyimagesearch.system import terminal
        terminal.setup()
        terminal.setup()  # what is imported is what is used
        import keras, tensorflow as tf
        from tensorflow.python.eager import context
        print(context.context()._initialized, gc.isenabled(), os.environ["OPENBLAS_NUM_THREADS"])
        print("no text: \\udce9", "matplotlib" in sys.modules)
        print(keras.config.floatx(), keras.config.image_data_format(), keras.backend.backend())
        print(keras.config.dtype_policy().name)
        tf.random.normal((2,))
        terminal.setup()
        """
    done = python(code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch")
    lines = ["False True 1", "no text: \\udce9 False", "float32 channels_last tensorflow"]
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, [*lines, "float32"], "")


@pytest.mark.slow
def test_a_damaged_keras_json_is_one_line(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float17"}')
    code = "from pyimagesearch.system import terminal; terminal.setup()"
    done = python(code, KERAS_HOME=str(tmp_path))
    assert done.returncode == 2 and ": error: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_bar_is_on_a_terminal_alone(monkeypatch, capfd):
    terminal.setup(keras=False)
    for is_terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda is_terminal=is_terminal: is_terminal)
        with terminal.progress_bar(2, "images read") as done:
            done(1)
            print("a result")
            done(1)
        (out, err) = capfd.readouterr()
        assert out == "a result\n" and ("images read" in err) == is_terminal
