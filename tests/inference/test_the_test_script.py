"""test_contrastive_siamese_network.py, as a user runs it, with names of any bytes."""

import os
import shutil

import cv2
import pytest
import small_model

from tests.scripts import run


@pytest.mark.slow
def test_names_of_any_bytes(tmp_path):
    place = tmp_path / "run [v2] *"
    images = small_model.write_folder(place / "images", 3, 2)
    names = [os.fsdecode(b"latin-\xe9.png"), "模型 [a].png", "$a_b$.png", "two\nlines.png"]
    for name in names:
        shutil.copy(images / "0" / "0.png", images / name)
    model = small_model.save(place / "model ü")
    figure = place / "pairs?.png"
    done = run(
        "test_contrastive_siamese_network.py",
        *("--input", images, "--model", model, "--output", figure, "--pairs", 5),
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[INFO]")]
    assert len(lines) == 5 and all(line.endswith(("same", "different")) for line in lines)
    assert figure.exists() and cv2.imread(str(figure)) is not None
