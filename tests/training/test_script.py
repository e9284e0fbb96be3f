"""The train script inside other programs: a notebook, a thread; and what it refuses."""

import cv2
import numpy as np
import pytest

from tests.scripts import python, run

SCRIPT = "train_contrastive_siamese_network.py"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of eight small pictures, dark ones and light ones."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for k in range(16):
        path = folder / ("light" if k % 2 else "dark") / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        image = rng.integers(0, 60, (8, 8)) + 150 * (k % 2)
        cv2.imwrite(str(path), image.astype(np.uint8))
    return folder


@pytest.mark.slow
def test_twice_in_one_process_and_once_in_a_thread(photos, tmp_path):
    program = f"""
import runpy, signal, sys, threading
handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
sys.argv = [{SCRIPT!r}, "--dataset", {str(photos)!r}, "--recipe", "article", "--epochs", "1",
    "--batch-size", "4", "--output", {str(tmp_path)!r}]

def train():
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        codes.append(end.code)

codes = []
train()
train()
thread = threading.Thread(target=train)
thread.start()
thread.join()
assert codes == [0, 0, 0], codes
assert handlers == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
"""
    done = python(program)
    assert done.returncode == 0, done.stdout + done.stderr
    # and each message once, however often the script was set up
    assert done.stdout.count("[INFO] training on ") == 3


@pytest.mark.slow
def test_a_rate_that_explodes_leaves_the_old_model_as_it_is(photos, tmp_path):
    (tmp_path / "mine.toml").write_text('base = "article"\n[training]\nlearning_rate = 1e30\n')
    model = tmp_path / "output" / "contrastive_siamese_model"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_text("old")
    flags = ("--recipe", tmp_path / "mine.toml", "--dataset", photos, "--batch-size", 4)
    done = run(SCRIPT, *flags, "--epochs", 3, "--output", model.parent)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and "Lower training.learning_rate" in line
    assert (model / "saved_model.pb").read_text() == "old"
    assert not (model.parent / "encoder.keras").exists()
