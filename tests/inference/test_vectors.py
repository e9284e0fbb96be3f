"""Embeddings in files: what is read back is what was written."""

import csv

import numpy as np
import pytest

from pyimagesearch.inference import vectors
from pyimagesearch.system.errors import InputError

EMBEDDINGS = np.random.default_rng(0).normal(0, 1e3, (3, 4)).astype(np.float32)
# a comma, a line break, and bytes that are no UTF-8
NAMES = ["cat/a,b.png", "cat/c\nd.png", "dog/\udcff.png"]
CLASSES = ["cat", "cat", "dög"]


def test_npz_is_read_back_as_it_was_written(tmp_path):
    file = tmp_path / "vectors.NPZ"
    vectors.write(file, EMBEDDINGS, NAMES, CLASSES, "5eed")
    found = vectors.read(file)
    assert found.embeddings.dtype == np.float32 and np.array_equal(found.embeddings, EMBEDDINGS)
    assert (found.names, found.classes, found.model) == (tuple(NAMES), tuple(CLASSES), "5eed")
    vectors.write(file, EMBEDDINGS, NAMES, None, "5eed")
    assert vectors.read(file).classes is None
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.NPZ"]


def test_csv_holds_every_digit(tmp_path):
    file = tmp_path / "vectors.csv"
    vectors.write(file, EMBEDDINGS, NAMES, CLASSES, "5eed")
    with open(file, newline="", encoding="utf-8", errors="surrogateescape") as f:
        (header, *rows) = csv.reader(f)
    assert header == ["name", "class", "model", "e0", "e1", "e2", "e3"]
    assert [row[:3] for row in rows] == [[n, c, "5eed"] for n, c in zip(NAMES, CLASSES)]
    assert np.array_equal(np.array([row[3:] for row in rows], np.float32), EMBEDDINGS)
    vectors.write(file, EMBEDDINGS, NAMES, None, "5eed")
    assert file.read_text(errors="surrogateescape").startswith("name,model,e0,")


def test_parquet_holds_the_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    file = tmp_path / "vectors.parquet"
    vectors.write(file, EMBEDDINGS, NAMES, CLASSES, "5eed")
    table = parquet.read_table(file)
    assert table.column_names == ["name", "class", "embedding"]
    assert table["name"].to_pylist() == [*NAMES[:2], "dog/\\udcff.png"]
    assert np.array_equal(np.array(table["embedding"].to_pylist(), np.float32), EMBEDDINGS)
    assert table.schema.metadata[b"model"] == b"5eed"


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        vectors.write(tmp_path / "v.parquet", EMBEDDINGS, NAMES, CLASSES, "5eed")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(InputError, match=r"ends with \.npz, \.csv, \.parquet"):
        vectors.check(tmp_path / "vectors.txt")
    with pytest.raises(InputError, match="2 names"):
        vectors.write(tmp_path / "v.npz", EMBEDDINGS, NAMES[:2], None, "")
    assert not list(tmp_path.iterdir())


def test_what_is_damaged_or_foreign_is_refused(tmp_path):
    file = tmp_path / "vectors.npz"
    vectors.write(file, EMBEDDINGS, NAMES, CLASSES, "5eed")
    whole = file.read_bytes()
    np.savez(tmp_path / "other.npz", a=EMBEDDINGS)
    np.savez(tmp_path / "objects.npz", embeddings=EMBEDDINGS, names=np.array([{}]), model="")
    np.save(tmp_path / "plain.npy", EMBEDDINGS)
    short = [tmp_path / f"{n}.npz" for n in (0, 10, len(whole) // 2)]
    for path in short:
        path.write_bytes(whole[: int(path.stem)])
    for name in (*short, "other.npz", "objects.npz", "plain.npy", "absent.npz"):
        with pytest.raises(InputError, match="Expected"):
            vectors.read(tmp_path / name)
