"""What is most like a query: exact, by the model's own distance, and without copies."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_model

from pyimagesearch.evaluation.distances import cosine_matrix
from pyimagesearch.inference import commands, search
from pyimagesearch.system.errors import InputError


def test_nearest_is_exact():
    rng = np.random.default_rng(0)
    gallery, query = rng.normal(size=(500, 8)).astype("float32"), rng.normal(size=8)
    indices, distances = search.nearest(query.astype("float32"), gallery, top=7)
    expected = np.linalg.norm(gallery - query, axis=1)
    assert indices.tolist() == np.argsort(expected)[:7].tolist()
    np.testing.assert_allclose(distances, np.sort(expected)[:7], rtol=1e-5)
    assert len(search.nearest(gallery[0], gallery[:3], top=5)[0]) == 3
    # ties by index, and distances that a float32 subtraction of squares would lose
    tied = np.tile([[3, 4], [0, 0]], (500, 1)).astype("float32")
    indices, distances = search.nearest(np.zeros(2, "float32"), tied, top=3)
    assert indices.tolist() == [1, 3, 5]
    far = 100 + gallery * 1e-3
    indices, _ = search.nearest(far[0] + 1e-4, far, top=5)
    exact = np.linalg.norm(far.astype("float64") - (far[0] + 1e-4), axis=1)
    assert indices.tolist() == np.argsort(exact, kind="stable")[:5].tolist()


def test_nearest_takes_the_norms_and_copies_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    gallery, query = rng.normal(size=(500, 8)).astype("float32"), rng.normal(size=8).astype("f4")
    gallery[100:400] = gallery[0]  # three hundred at one distance
    gallery.tofile(tmp_path / "gallery")
    mapped = np.memmap(tmp_path / "gallery", np.float32, "r", shape=(500, 8))
    plain = search.nearest(query, gallery, top=400)
    squares = search.squared_norms(gallery)
    np.testing.assert_allclose(squares, [row @ row for row in gallery], rtol=1e-6)
    monkeypatch.setattr(search, "BLOCK", 7)
    for found in (search.nearest(query, mapped, 400), search.nearest(query, mapped, 400, squares)):
        assert np.array_equal(found[0], plain[0]) and np.array_equal(found[1], plain[1])


def test_nearest_by_angle():
    """The query points along the first axis, as does what is furthest away."""
    gallery = np.array([[1, 1, 0], [9, 0, 0], [0, 1, 0], [-1, 0, 0], [5, 5, 0]], "float32")
    query = np.array([1, 0, 0], "float32")
    (found, distances) = search.nearest(query, gallery, top=5, distance="cosine")
    assert found.tolist() == [1, 0, 4, 2, 3]
    half = 1 - 0.5**0.5  # 45 degrees
    np.testing.assert_allclose(distances, [0, half, half, 1, 2], atol=1e-7)
    assert search.nearest(query, gallery, top=2)[0].tolist() == [0, 2]  # 1, then 2^0.5
    many = np.random.default_rng(0).normal(size=(500, 8)).astype("float32")
    exact = cosine_matrix(many[:1], many)[0]
    (found, distances) = search.nearest(many[0], many, top=9, distance="cosine")
    assert found.tolist() == np.argsort(exact, kind="stable")[:9].tolist()
    np.testing.assert_allclose(distances, np.sort(exact)[:9], atol=1e-6)
    short = many * np.float32(1e-4)  # lengths say nothing
    assert search.nearest(short[0], short, 9, distance="cosine")[0].tolist() == found.tolist()


def test_embeddings_that_are_no_numbers():
    gallery = np.eye(3, dtype="float32")
    with pytest.raises(InputError, match="Expected embeddings of finite numbers"):
        search.nearest(np.full(3, np.nan, "float32"), gallery)


def test_a_model_of_angles_is_asked_by_angles(tmp_path, monkeypatch, capsys):
    """Dark grey points where white does, and lies further away than white that is partly black."""
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    model = small_model.save(tmp_path / "model", distance="cosine")
    (white, half, dark) = (np.full((28, 28), value, np.uint8) for value in (255, 255, 60))
    half[:8] = 0
    (tmp_path / "in").mkdir()
    for name, pixels in (("white", white), ("in/half", half), ("in/dark", dark)):
        cv2.imwrite(f"{name}.png", pixels)
    with pytest.raises(SystemExit):
        commands.main(["search", "white.png", "in", "--model", str(model), "--json"])
    found = json.loads(capsys.readouterr().out)["results"]
    assert [Path(one["file"]).stem for one in found] == ["dark", "half"]
    # 49 tiles of which 14 are black: the angle's cosine is 35 / (7 * 35^0.5)
    assert found[0]["distance"] == pytest.approx(0, abs=1e-6)
    assert found[1]["distance"] == pytest.approx(1 - 35**0.5 / 7, abs=1e-5)
