"""A folder as vectors: what is nearest, what files hold, and shards that are made one again."""

import csv
import json
import shutil

import numpy as np
import pytest
import small_model
from small_model import answers

from pyimagesearch import SiameseModel
from pyimagesearch.inference import gallery
from pyimagesearch.inference.gallery import Gallery


def test_search_is_exact(tmp_path):
    model = SiameseModel(small_model.save(tmp_path / "model"))
    query = np.zeros(model.image_shape, np.uint8)
    points = np.random.default_rng(0).normal(size=(9000, model.embedding_dim)).astype("float32")
    points[[3, 4500, 8999]] = model.embed(query[np.newaxis])  # ties, in several blocks
    expected = np.argsort(np.linalg.norm(points - points[3], axis=1), kind="stable")
    found = Gallery(points, (), ("",) * 9000, model.digest, (1, 1, 0), None)
    results = model.search(query, found, top=40).results
    assert [one.file for one in results] == expected[:40].tolist() and expected[0] == 3


EMBEDDINGS = np.random.default_rng(0).normal(0, 1e3, (4, 4)).astype(np.float32)
# a comma, a line break, bytes that are no UTF-8, and what a spreadsheet takes for a formula
NAMES = ("cat/a,b.png", "cat/c\nd.png", "dog/\udcff.png", "=1+1.png")
CLASSES = ("cat", "cat", "dög", "-")


@pytest.mark.parametrize("classes, part", [(CLASSES, (1, 1, 4)), (("",) * 4, (2, 9, 30))])
def test_npz_is_read_back_as_it_was_written(tmp_path, classes, part):
    file = tmp_path / "vectors.NPZ"
    gallery.write(file, Gallery(EMBEDDINGS, NAMES, classes, "5eed", part))
    found = gallery.read(file)
    assert found.embeddings.dtype == np.float32 and np.array_equal(found.embeddings, EMBEDDINGS)
    assert (found.names, found.classes, found.model) == (NAMES, classes, "5eed")
    assert found.shard == part
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.NPZ"]


def test_csv_holds_every_digit_and_no_formula(tmp_path):
    file = tmp_path / "vectors.csv"
    gallery.write(file, Gallery(EMBEDDINGS, NAMES, CLASSES, "5eed", (1, 1, 4)))
    with open(file, newline="", encoding="utf-8", errors="surrogateescape") as f:
        (header, *rows) = csv.reader(f)
    assert header == ["name", "class", "model", "e0", "e1", "e2", "e3"]
    names = [*NAMES[:3], "'=1+1.png"]
    assert [row[:3] for row in rows] == [
        [n, c, "5eed"] for n, c in zip(names, [*CLASSES[:3], "'-"])
    ]
    assert np.array_equal(np.array([row[3:] for row in rows], np.float32), EMBEDDINGS)


DAMAGED = [{"embeddings": EMBEDDINGS[:, 0]}, {"shard": (5, 2)}, {"shard": (1, 2, 9)},
    {"names": NAMES[:3]}, {"classes": CLASSES[:1]}, {"names": np.array([{}])}]  # fmt: skip


def test_what_is_damaged_or_foreign_is_refused(refused, tmp_path):
    file = tmp_path / "part.npz"
    gallery.write(file, Gallery(EMBEDDINGS, NAMES, CLASSES, "5eed", (1, 1, 4)))
    known = dict(np.load(file))
    for k, changed in enumerate(DAMAGED):
        np.savez(tmp_path / f"changed {k}.npz", **(known | changed))
    np.savez(tmp_path / "other.npz", a=EMBEDDINGS)
    np.save(tmp_path / "plain.npy", EMBEDDINGS)
    (tmp_path / "empty.npz").touch()
    (tmp_path / "half.npz").write_bytes(file.read_bytes()[:500])
    for path in {*tmp_path.glob("*.np?"), tmp_path / "absent.npz"} - {file}:
        assert "Expected" in refused("embed", "--merge", path)
    assert not list(tmp_path.rglob("vectors.npz"))


@pytest.fixture
def photos(tmp_path):
    """Three digits with four images each, and a file that is none in the second part of three."""
    folder = small_model.write_folder(tmp_path / "photos", classes=3, each=4)
    (folder / "1" / "2.png").write_text("words")
    return folder


@pytest.fixture
def parts(ask, photos, tmp_path):
    """The three parts of the folder, as the command writes them."""
    for k in (1, 2, 3):
        (code, _, err) = ask("embed", photos, "--shard", f"{k}/3", "--output", f"{k}.npz")
        assert (code, err) == (0, "")
    return [tmp_path / f"{k}.npz" for k in (1, 2, 3)]


def test_merged_parts_are_the_whole_folder(ask, photos, parts, tmp_path):
    assert gallery.read(parts[1]).names == ("1/0.png", "1/1.png", "1/3.png")
    (code, out, _) = ask("embed", "--merge", *parts[::-1], "--output", "all.npz")
    assert (code, out) == (0, "11 images of 3 classes, 49 numbers each: all.npz\n")
    assert ask("embed", photos, "--output", "whole.npz")[0] == 0
    (merged, whole) = (dict(np.load(tmp_path / name)) for name in ("all.npz", "whole.npz"))
    assert merged.keys() == whole.keys()
    for name in merged:
        assert np.array_equal(merged[name], whole[name]) and merged[name].dtype == whole[name].dtype
    answer = json.loads(ask("embed", "--merge", *parts, "--output", "all.csv", "--json")[1])
    assert (answer["images"], answer["embedding_dim"], answer["file"]) == (11, 49, "all.csv")


def test_parts_that_do_not_belong_together_are_named(ask, refused, photos, parts, tmp_path):
    def merge(*names):
        return refused("embed", "--merge", *names, "--output", "all.npz")

    assert "each once. Received: parts 1, 3 of 3. Embed what" in merge("1.npz", "3.npz")
    shutil.copy(tmp_path / "2.npz", tmp_path / "copy.npz")
    assert "Received: parts 1, 2, 2, 3 of 3." in merge("1.npz", "2.npz", "3.npz", "copy.npz")
    assert ask("embed", photos, "--shard", "2/4", "--output", "of four.npz")[0] == 0
    assert "Received: parts of 2 folders or models." in merge("1.npz", "of four.npz", "3.npz")
    assert "absent.npz, No such file" in merge("1.npz", "absent.npz")
    (photos / "2" / "3.png").rename(photos / "2" / "4.png")  # another folder, of as many images
    assert ask("embed", photos, "--shard", "3/3", "--output", "3.npz")[0] == 0
    assert "parts of 2 folders or models" in merge("1.npz", "2.npz", "3.npz")
    assert not (tmp_path / "all.npz").exists()


def test_fewer_files_than_shards(ask, photos, model):
    """Four files in five shards: the first is empty."""
    for k in range(1, 6):
        (code, out, _) = ask("embed", photos / "0", "--shard", f"{k}/5", "--output", f"{k}.npz")
        count = "1 image" if k > 1 else "0 images"
        assert code == 0 and out.endswith(f"{count}, 49 numbers each: {k}.npz\n")
    (code, out, _) = ask("embed", "--merge", *(f"{k}.npz" for k in range(1, 6)))
    assert (code, out) == (0, f"4 images, 49 numbers each: {model.parent}/vectors.npz\n")
    assert gallery.read(model.parent / "vectors.npz").classes == ("",) * 4


def test_what_does_not_go_together(refused):
    for flags in ((), ("photos", "--merge", "1.npz"), ("--merge", "1.npz", "--shard", "1/2")):
        assert "Expected a folder, perhaps with --shard" in refused("embed", *flags)
    error = refused("embed", "photos", "--shard", "1/2", "--output", "part.csv")
    assert "Expected --output with a file that ends with .npz" in error
    for shard in ("0/16", "17/16", "a/b", "3", "1/0"):
        assert "expected K/N" in refused("embed", "photos", "--shard", shard)


def test_embeddings_in_a_file_and_for_a_program(ask, refused, folder, model, tmp_path):
    (_, out, _) = ask("embed", folder)
    vectors = model.parent / "vectors.npz"
    assert answers(out) == [f"120 images of 10 classes, 49 numbers each: {vectors}"]
    found = gallery.read(vectors)
    loaded = SiameseModel(model)
    assert found.model == loaded.digest
    assert found.names[:2] == ("0/0.png", "0/1.png") and found.classes[-1] == "9"
    one = loaded.embed_files([folder / "0" / "1.png"])
    assert found.embeddings[1] == pytest.approx(one[0], abs=1e-6)
    # a program that names no file needs no place for one
    vectors.unlink()
    answer = json.loads(answers(ask("embed", folder, "--json")[1])[0])
    assert (answer["images"], answer["embedding_dim"]) == (120, 49)
    assert np.shape(answer["embeddings"]) == (120, 49) and len(answer["model"]) == 64
    assert answer["classes"][0] == "0" and answer["names"][0] == "0/0.png"
    assert not vectors.exists()
    nowhere = ("--output", folder / "0" / "0.png" / "v.npz")
    assert "can be written to" in refused("embed", folder, *nowhere)
    assert "ends with .npz or .csv" in refused("embed", folder, "--output", "v.txt")
    (listed := tmp_path / "list.csv").write_text("path,label\n")
    assert "what an earlier embed wrote" in refused("embed", folder, "--output", listed)
    assert all(ask("embed", folder, "--output", tmp_path / "v.csv")[0] == 0 for _ in range(2))


def test_near_copies_without_a_model_and_images_of_one_thing_with_one(ask, folder, model, tmp_path):
    place = shutil.copytree(folder / "1", tmp_path / "photos", ignore=lambda *_: {"0.png"})
    picture = small_model.cv2.imread(str(folder / "2" / "0.png"))
    for side in (28, 90):
        larger = small_model.cv2.resize(picture, (side, side))
        small_model.cv2.imwrite(str(place / f"two {side}.png"), larger)
    (code, out, _) = ask("duplicates", place, "--output", tmp_path / "d.png")
    assert code == 0 and f"2: {place}/two 28.png  {place}/two 90.png" in answers(out)
    assert answers(out)[-1].startswith("13 images, ") and (tmp_path / "d.png").exists()
    small_model.change(model, operating_points={"0.01": 0.5})
    found = json.loads(ask("duplicates", folder, "--json", "--model", model)[1])
    assert [len(files) for files in found["groups"]] == [12] * 10 and found["images"] == 120
