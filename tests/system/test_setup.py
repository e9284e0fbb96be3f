"""What a script's setup() does, and what importing the module does not."""

import json

import pytest

from tests.scripts import python, started


@pytest.mark.slow
def test_lines_reach_a_pipe_at_once():
    code = """
    import time
    from pyimagesearch.system import terminal
    terminal.setup()
    print("a line")
    print("a name that is no text: \\udce9")
    time.sleep(60)
    """
    with started(code) as process:
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


@pytest.mark.slow
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


@pytest.mark.slow
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
