"""How a script starts, ends and shows messages."""

import json
import logging
import os
import subprocess
import sys
import textwrap

import pytest

from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError
from tests.scripts import ENVIRONMENT, ROOT


def python(code, *arguments, **variables):
    """Run Python on `code` in a process of its own, in the project's folder."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def ends(capsys):
    """What run(main) ends with: (exit code, standard output, standard error)."""

    def ends(main):
        with pytest.raises(SystemExit) as stop:
            terminal.run(main, "script")
        return stop.value.code, *capsys.readouterr()

    return ends


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    "error, line",
    [
        (InputError("Expected a folder.\nReceived: none."), "Expected a folder. Received: none."),
        (FileNotFoundError(2, "No such file", "a.png"), "[Errno 2] No such file: 'a.png'"),
        (MemoryError("Unable to allocate 3 GiB"), "Unable to allocate 3 GiB; a smaller"),
        (MemoryError(), "MemoryError; a smaller --batch-size"),
    ],
)
def test_what_a_user_can_mend_is_one_line(error, line, ends):
    code, out, err = ends(raising(error))
    assert code == 2 and out == ""
    assert err.startswith(f"script: error: {line}") and err.count("\n") == 1


def test_a_gpu_or_memory_that_is_too_small_is_one_line(ends):
    import tensorflow as tf

    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating\ndetails")
    code, _, err = ends(raising(error))
    assert code == 2 and "OOM when allocating; a smaller --batch-size" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("shapes"), KeyError("row"), TypeError("None")])
def test_a_bug_shows_its_traceback(error, ends):
    code, _, err = ends(raising(error))
    lines = err.splitlines()
    assert code == 2 and lines[0].startswith("Traceback")
    assert type(error).__name__ in err and "a bug of this project" in lines[-1]


def test_exit_codes(ends):
    assert ends(lambda: None)[0] == 0
    assert ends(lambda: sys.exit(1))[0] == 1  # compare: different
    assert ends(raising(KeyboardInterrupt()))[0] == 130


@pytest.mark.skipif(os.name == "nt", reason="head")
def test_a_closed_pipe_ends_quietly():
    code = """
    from pyimagesearch.system import terminal
    def main():
        while True:
            print("line")
    terminal.run(main)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"line\n"
        process.stdout.close()
        assert process.stderr.read() == b"" and process.wait(timeout=20) == 141


def test_messages(capsys):
    log = logging.getLogger("pyimagesearch.data")
    terminal.show_messages()
    terminal.show_messages()  # harmless
    log.info("%d to train on", 481)
    log.info("\nthe bar's line ends first")
    log.warning("careful")
    log.debug("not shown")
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "[INFO] 481 to train on",
        "",
        "[INFO] the bar's line ends first",
        "[WARNING] careful",
    ]
    terminal.show_messages(program_output=True)
    log.info("for a person")
    assert err == "" and capsys.readouterr() == ("", "[INFO] for a person\n")
    terminal.show_messages()


def test_lines_reach_a_pipe_at_once():
    code = """
    import time
    from pyimagesearch.system import terminal
    terminal.setup()
    print("a line")
    print("a name that is no text: \\udce9")
    time.sleep(60)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "a line\n"
        assert process.stdout.readline() == "a name that is no text: \\udce9\n"
        assert process.poll() is None  # it still runs
        process.kill()


STATE = """
    import json, logging, os, sys, threading, warnings
    def state():
        return [
            dict(os.environ), list(map(str, warnings.filters)), threading.active_count(),
            logging.getLogger().level, logging.getLogger("PIL").level,
            logging.getLogger("pyimagesearch").level, sorted(m for m in sys.modules if "." not in m)
        ]
    before = state()
    from pyimagesearch.system import terminal
    after = state()
    print(json.dumps([before[:-1] == after[:-1], sorted(set(after[-1]) - set(before[-1]))]))
"""


def test_importing_it_has_no_effect():
    done = python(STATE)
    same, modules = json.loads(done.stdout)
    assert same and not {"tensorflow", "keras", "cv2", "PIL", "numpy"} & set(modules)


def test_setup_is_quiet_and_starts_no_device_twice_and_after_tensorflow_was_used():
    done = python("""
        import os
        from pyimagesearch.system import terminal
        terminal.setup()
        terminal.setup()
        import tensorflow as tf
        from tensorflow.python.eager import context
        print(context.context()._initialized, os.environ["TF_FORCE_GPU_ALLOW_GROWTH"])
        tf.random.normal((2,))
        terminal.setup()
        print("whole")
        """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "False true\nwhole\n", "")


def test_keras_settings_of_the_machine_are_named_and_not_used(tmp_path):
    (tmp_path / "keras.json").write_text(
        json.dumps({"floatx": "float16", "image_data_format": "channels_first", "backend": "jax"})
    )
    done = python(
        """
        from pyimagesearch.system import terminal
        terminal.setup()
        import keras
        print(keras.config.floatx(), keras.config.image_data_format(), keras.backend.backend())
        print(keras.config.dtype_policy().name, keras.config.max_epochs())
        """,
        KERAS_HOME=str(tmp_path),
        KERAS_BACKEND="torch",
        KERAS_MAX_EPOCHS="1",
    )
    assert done.stderr == "" and done.stdout.splitlines() == [
        "[INFO] Keras' settings on this machine say backend torch, floatx float16, "
        "image_data_format channels_first, max_epochs 1: not used here",
        "float32 channels_last tensorflow",
        "float32 None",
    ]


@pytest.mark.slow
def test_damaged_keras_settings_are_one_line(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"floatx": "float12"}))
    code = "from pyimagesearch.system import terminal; terminal.setup()"
    done = python(code, KERAS_HOME=str(tmp_path))
    assert done.returncode == 2 and "float12" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_mixed_precision_of_this_process_is_named_and_not_used():
    done = python(
        """
        import keras
        keras.config.set_dtype_policy("mixed_bfloat16")
        from pyimagesearch.system import terminal
        terminal.setup()
        print(keras.config.dtype_policy().name)
        """
    )
    assert "say dtype_policy mixed_bfloat16: not" in done.stdout and "\nfloat32\n" in done.stdout


@pytest.mark.slow
def test_tensorflows_lines_are_there_for_who_asks():
    code = "from pyimagesearch.system import terminal; terminal.setup()"
    assert "oneDNN" in python(code, TF_CPP_MIN_LOG_LEVEL="0").stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", ["train_contrastive_siamese_network.py", "test_contrastive_siamese_network.py"]
)
def test_help_claims_no_gpu(script):
    done = python(
        """
        import runpy, sys
        sys.argv = sys.argv[1:]
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as stop:
            assert stop.code == 0
        from tensorflow.python.eager import context
        print(context.context()._initialized)
        """,
        script,
        "--help",
    )
    assert done.stdout.startswith("usage: ") and done.stdout.endswith("\nFalse\n")
    assert done.stderr == ""


@pytest.mark.slow
def test_what_a_program_reads_is_json_alone(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"image_data_format": "channels_first"}))
    image = "examples/image_01.png"
    done = subprocess.run(
        [sys.executable, "-m", "pyimagesearch", "compare", image, "missing.png", "--json"],
        cwd=ROOT,
        env=ENVIRONMENT | {"KERAS_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("[INFO] Keras' settings on this machine say image_data_format")
