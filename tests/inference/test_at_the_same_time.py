"""Several commands and a training in one folder, at the same time."""

import contextlib
import json
import multiprocessing
import os
import sys

import cv2
import numpy as np
import pytest
import small_model

from pyimagesearch.inference import commands
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.saving import write_settings
from pyimagesearch.system import terminal
from pyimagesearch.system.errors import InputError


@pytest.fixture(scope="module")
def start():
    """Starts a function in a process of its own, in which TensorFlow is imported already."""
    context = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
    context.set_forkserver_preload(["small_model", "pyimagesearch.inference.saving"])

    def start(function, *arguments):
        process = context.Process(target=function, args=arguments)
        process.start()
        return process

    return start


def ask(folder, cache, number, arguments):
    """Runs a command in `folder`; what it prints is in a file named by its number."""
    os.chdir(folder)
    os.environ["CONTRASTIVE_CACHE"] = str(cache)
    with (
        open(f"{number}.out", "w") as out,
        open(f"{number}.err", "w") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        sys.argv = ["ask", *map(str, arguments)]
        terminal.run(commands.main)


def save_models(path, scales):
    """A training as its readers see it: one model after the other takes the same place."""
    for scale in scales:
        small_model.save(path, np.array([scale], np.uint64), scale=scale, scale_of_it=scale)


@pytest.mark.slow
def test_eight_searches_a_matrix_and_an_evaluation(start, tmp_path):
    digits = small_model.write_folder(tmp_path / "digits", 4, 10)
    small_model.save(tmp_path / "output" / "contrastive_siamese_model")
    query = digits / "2" / "0.png"
    questions = [["search", query, digits, "--top", 4]] * 8
    questions += [["matrix", digits], ["evaluate", digits], ["evaluate", digits, "--calibrate"]]
    questions.append(["compare", query, query])
    processes = [
        start(ask, tmp_path, tmp_path / "cache", number, question)
        for number, question in enumerate(questions)
    ]
    for process in processes:
        process.join()
    errors = {p.name: p.read_text() for p in tmp_path.glob("*.err") if p.read_text()}
    assert [p.exitcode for p in processes] == [0] * 12 and not errors, errors
    answers = [small_model.answers((tmp_path / f"{k}.out").read_text()) for k in range(8)]
    assert len(answers[0]) == 4 and answers == [answers[0]] * 8
    for name in ("search", "matrix", "evaluate_worst"):
        assert cv2.imread(str(tmp_path / "output" / f"{name}.png")) is not None
    assert len(list((tmp_path / "output").iterdir())) == 6  # with matrix.csv and the model's two
    settings = tmp_path / "output" / "contrastive_siamese_model" / "assets.extra" / "siamese.json"
    assert "calibrated_before" in json.loads(settings.read_text())


@pytest.mark.slow
def test_no_reader_gets_a_mix_of_two_models(start, tmp_path):
    path = small_model.save(tmp_path / "model", np.array([1], np.uint64), scale_of_it=1)
    training = start(save_models, path, [2, 3, 1, 2, 3])
    white = np.full((1, *small_model.SHAPE), 255, np.uint8)
    loaded = 0
    while training.is_alive():
        model = SiameseModel(path)
        scale = model.settings["scale_of_it"]
        assert model.embed(white)[0, 0] == pytest.approx(scale)
        loaded += 1
        with contextlib.suppress(InputError):  # it was replaced meanwhile
            assert model.trained_on.tolist() == [scale]
        # settings are written into the model that was loaded, or not at all
        with contextlib.suppress(InputError, OSError):
            write_settings(model, model.settings | {"threshold": 7.0})
    training.join()
    assert training.exitcode == 0 and loaded > 2
    assert SiameseModel(path).settings["scale_of_it"] == 3
    assert os.listdir(tmp_path).count("model") == 1 and len(os.listdir(tmp_path)) == 2
