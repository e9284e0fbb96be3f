"""What several rooms' tests share. Importing tests.scripts clears the environment."""

import logging
import sys

import cv2
import numpy as np
import pytest

from pyimagesearch.system import terminal
from tests.scripts import python


@pytest.fixture(autouse=True)
def no_messages_to_a_closed_stream():
    terminal.InputError.in_python = False
    yield  # a test's captured output ends with it
    logging.getLogger(terminal.LOGGER).handlers.clear()
    logging.getLogger(terminal.LOGGER).setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The real script on a fifth of MNIST, recipe fast; what it printed, and its folder."""
    output = tmp_path_factory.mktemp("trained")
    done = python(
        """
        import runpy, sys
        from pyimagesearch.system import terminal
        terminal.setup()
        from pyimagesearch.data import datasets
        ((images, labels), (unseen, theirs)) = datasets.load_mnist()
        part = ((images[:12000], labels[:12000]), (unseen[:2000], theirs[:2000]))
        datasets.DATASETS["mnist"] = lambda: part
        sys.argv = ["train", "--recipe", "fast", "--epochs", "1", "--seed", "3", *sys.argv[1:]]
        runpy.run_path("train_contrastive_siamese_network.py", run_name="__main__")
        """,
        *("--output", output),
    )
    return done, output


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Six classes of eight small pictures in colour, each class another colour with noise."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for k in range(48):
        color = np.array([60 * (k % 6 % 2), 50 * (k % 6 % 3), 40 * (k % 6)])
        image = np.clip(color + rng.integers(0, 60, (16, 20, 3)), 0, 255).astype(np.uint8)
        (folder / f"class {k % 6}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"class {k % 6}" / f"{k}.png"), image)
    return folder


@pytest.fixture
def said(caplog):
    """The lines that the package logs, as one text when it is called."""
    caplog.set_level("INFO", logger="pyimagesearch")
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


@pytest.fixture
def ends(monkeypatch, capsys):
    """Runs a script's main in this process: its exit code, what it printed, and its errors."""

    def ends(script, *flags):
        monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, flags)])
        terminal.setup()  # as the script does when it is imported
        with pytest.raises(SystemExit) as stop:
            terminal.run(script.main)
        return stop.value.code, *capsys.readouterr()

    return ends


@pytest.fixture
def runs(ends):
    """Runs a script's main, which must end well; returns what it printed."""

    def runs(script, *flags):
        (code, printed, errors) = ends(script, *flags)
        assert (code, errors) == (0, "")
        return printed

    return runs


@pytest.fixture
def fails(ends):
    """Runs a script's main, which must end with code 2 and one line; returns that."""

    def fails(script, *flags):
        (code, _, errors) = ends(script, *flags)
        (line,) = errors.strip().splitlines()
        assert code == 2 and "error: " in line
        return line

    return fails
