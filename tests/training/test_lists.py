"""Trainings and evaluations of lists, as they are asked for; those of few images among them."""

import json

import cv2
import numpy as np
import pytest

from tests.scripts import ROOT, python, run

SCRIPT = "train_contrastive_siamese_network.py"
EVALUATE = "import sys; from pyimagesearch.inference.commands import main; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Sixty small pictures, 0.png to 39.png dark, 40.png to 59.png light."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for k in range(60):
        image = rng.integers(0, 60, (16, 16)) + 150 * (k >= 40)
        cv2.imwrite(str(folder / f"{k}.png"), image.astype(np.uint8))
    return folder


@pytest.mark.slow
def test_a_list_of_uneven_classes_gives_a_model_and_honest_words(pictures):
    lines = [f"{k}.png,{'good' if k < 40 else 'defect'}" for k in range(45)]
    (pictures / "few.csv").write_text("\n".join(["path,label", *lines]))
    flags = ("--recipe", "photos-small", "--epochs", 1, "--output", pictures / "few")
    done = run(SCRIPT, "--dataset", pictures / "few.csv", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 classes: defect (5), good (40)" in done.stdout
    assert "images to choose by: the threshold is a rough one" in done.stdout
    assert "without same pairs of their own: defect" in done.stdout
    content = json.loads((pictures / "few" / "metrics.json").read_text())
    parts = [content["parts"][name] for name in ("train", "choices", "test")]
    assert sum(parts) == 45 and content["parts"]["classes_tested"] == 2
    (defect, good) = content["classes"]["figures"]
    assert defect["images"] == 1 and defect["tmr"] is None and good["tmr"] is not None
    model = pictures / "few" / "contrastive_siamese_model"
    asked = python(EVALUATE, "evaluate", pictures / "few.csv", "--model", model, "--json")
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert answer["images"] == 45 and answer["trained_on"] == parts[0]


@pytest.mark.slow
def test_a_list_of_pairs_with_its_parts(pictures):
    def pairs(dark, light, part):  # of the pictures in two ranges: dark with dark, dark with light
        return [
            line
            for a, b, c in zip(dark[::2], dark[1::2], light)
            for line in (f"{a}.png,{b}.png,1,{part}", f"{a}.png,{c}.png,0,{part}")
        ]

    (pictures / "pairs.csv").write_text("\n".join([
        "a,b,same,split",
        *pairs(range(20), range(40, 50), "train"),
        *pairs(range(20, 30), range(50, 55), "val"),
        *pairs(range(30, 40), range(55, 60), "test"),
    ]))  # fmt: skip
    flags = ("--epochs", 1, "--output", pictures / "pairs")
    done = run(SCRIPT, "--dataset", pictures / "pairs.csv", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 pairs of one class and 20 of two, of 60 images" in done.stdout
    content = json.loads((pictures / "pairs" / "metrics.json").read_text())
    assert content["settings"]["recipe"] == "pairs" and content["parts"]["split"] == "folders"
    assert [content["parts"][name] for name in ("train", "choices", "test")] == [30, 15, 15]
    model = pictures / "pairs" / "contrastive_siamese_model"
    asked = python(EVALUATE, "evaluate", pictures / "pairs.csv", "--model", model, "--json")
    assert asked.returncode == 0, asked.stderr
    answer = json.loads(asked.stdout)
    assert (answer["part"], answer["images"], answer["trained_on"]) == ("test", 15, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, words", [("absent.csv", "absent.csv, not there"), ("0.png", "does not end in .csv")]
)
def test_what_is_no_list_is_refused_in_a_line(pictures, name, words):
    done = run(SCRIPT, "--dataset", pictures / name, "--output", pictures / "none")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and words in done.stderr
    model = ROOT / "output" / "contrastive_siamese_model"
    done = python(EVALUATE, "evaluate", pictures / name, "--model", model)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and words in done.stderr
