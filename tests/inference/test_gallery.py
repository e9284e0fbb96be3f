"""A folder as vectors: what is nearest, what files hold, and shards that are made one again."""

import csv
import json
import shutil

import numpy as np
import pytest
from small_model import answers

from pyimagesearch import SiameseModel
from pyimagesearch.inference import gallery
from pyimagesearch.inference.gallery import Gallery, nearest
from pyimagesearch.system.errors import InputError


def test_nearest_is_exact():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 8)).astype("float32")
    query = rng.normal(size=8).astype("float32")
    expected = np.linalg.norm(points - query, axis=1)
    (indices, distances) = nearest(query, points, top=40)
    assert indices.tolist() == np.argsort(expected)[:40].tolist()
    np.testing.assert_allclose(distances, np.sort(expected)[:40], rtol=1e-5)
    assert len(nearest(points[0], points[:3], top=5)[0]) == 3
    # ties by index, and distances that a float32 subtraction of squares would lose
    tied = np.tile([[3, 4], [0, 0]], (500, 1)).astype("float32")
    assert nearest(np.zeros(2, "float32"), tied, top=3)[0].tolist() == [1, 3, 5]
    far = 100 + points * 1e-3
    exact = np.linalg.norm(far.astype("float64") - far[0], axis=1)
    assert nearest(far[0], far, top=5)[0].tolist() == np.argsort(exact)[:5].tolist()
    with pytest.raises(InputError, match="Expected finite embeddings"):
        nearest(np.full(8, np.nan, "float32"), points)


EMBEDDINGS = np.random.default_rng(0).normal(0, 1e3, (4, 4)).astype(np.float32)
# a comma, a line break, bytes that are no UTF-8, and what a spreadsheet takes for a formula
NAMES = ("cat/a,b.png", "cat/c\nd.png", "dog/\udcff.png", "=1+1.png")
CLASSES = ("cat", "cat", "dög", "-")


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_npz_holds_arrays(tmp_path, classes):
    file = tmp_path / "vectors.NPZ"
    gallery.write(file, Gallery(EMBEDDINGS, NAMES, classes, "5eed", "photos"))
    found = np.load(file)
    assert found["embeddings"].dtype == np.float32 and found["model"] == "5eed"
    assert np.array_equal(found["embeddings"], EMBEDDINGS) and tuple(found["names"]) == NAMES
    assert tuple(found["classes"]) == CLASSES if classes else "classes" not in found
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.NPZ"]


def test_csv_holds_every_digit_and_no_formula(tmp_path):
    file = tmp_path / "vectors.csv"
    gallery.write(file, Gallery(EMBEDDINGS, NAMES, CLASSES, "5eed", "photos"))
    with open(file, newline="", encoding="utf-8", errors="surrogateescape") as f:
        (header, *rows) = csv.reader(f)
    assert header == ["name", "class", "model", "e0", "e1", "e2", "e3"]
    names = [*NAMES[:3], "'=1+1.png"]
    assert [row[:3] for row in rows] == [
        [n, c, "5eed"] for n, c in zip(names, [*CLASSES[:3], "'-"])
    ]
    assert np.array_equal(np.array([row[3:] for row in rows], np.float32), EMBEDDINGS)


def test_embeddings_in_a_file_and_for_a_program(ask, refused, folder, model, tmp_path):
    (code, out, _) = ask("embed", folder)
    assert code == 0
    assert answers(out) == ["120 images of 10 classes, 49 numbers each: output/vectors.npz"]
    found = np.load(tmp_path / "output" / "vectors.npz")
    loaded = SiameseModel(model)
    assert found["model"] == loaded.digest
    assert [*found["names"][:2]] == ["0/0.png", "0/1.png"] and found["classes"][-1] == "9"
    # from Python one call; its messages go to whoever reads the package's log
    again = loaded.embed_folder(folder)
    assert np.array_equal(again.embeddings, found["embeddings"])
    assert [*again.names] == [*found["names"]] and [*again.classes] == [*found["classes"]]
    one = loaded.embed_files([folder / "0" / "1.png"])
    assert again.embeddings[1] == pytest.approx(one[0], abs=1e-6)
    # a program that names no file needs no place for one
    shutil.rmtree(tmp_path / "output")
    (tmp_path / "output").write_text("a file where the vectors' folder would be")
    answer = json.loads(answers(ask("embed", folder, "--json")[1])[0])
    assert (answer["images"], answer["embedding_dim"]) == (120, 49)
    assert np.shape(answer["embeddings"]) == (120, 49) and len(answer["model"]) == 64
    assert answer["classes"][0] == "0" and answer["names"][0] == "0/0.png"
    assert "can be written to" in refused("embed", folder)
    assert "ends with .npz or .csv" in refused("embed", folder, "--output", "v.txt")
