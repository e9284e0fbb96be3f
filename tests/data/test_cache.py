"""The cache: what a run has read or embedded, the next does not read or embed again."""

import os
import sqlite3
import sys
from pathlib import Path

import numpy as np

from pyimagesearch.data import cache as caching
from pyimagesearch.data import cache_index, decoding, images
from pyimagesearch.data.cache import embeddings_of, pixels_of
from pyimagesearch.data.folders import read_folder
from pyimagesearch.system import progress_bar
from tests.data.pictures import SMALL as SHAPE
from tests.data.pictures import mean, reds


def test_the_second_run_decodes_nothing(files, decoded, cache, said):
    (pixels, contents, _) = pixels_of(files, SHAPE)
    assert pixels.shape == (6, *SHAPE) and reds(pixels) == [0, 10, 20, 30, 40, 50]
    assert contents.dtype == np.uint64 and len(set(contents.tolist())) == 6
    assert len(decoded) == 6 and f"kept in {cache}, 1 MB; CONTRASTIVE_CACHE names" in said()
    decoded.clear()
    (again, same, _) = pixels_of(files[::-1], SHAPE)
    assert decoded == [] and reds(again) == reds(pixels)[::-1]
    assert same.tolist() == contents.tolist()[::-1]
    assert said().count("kept in") == 1  # where something was added
    assert pixels_of(files, (4, 6, 1))[0].shape == (6, 4, 6, 1) and len(decoded) == 6


def test_one_new_one_changed_and_one_unreadable_file_cost_these(files, decoded, write):
    pixels_of(files, SHAPE)
    decoded.clear()
    write("3.png", (0, 0, 200), size=(21, 25))
    write("5.png", b"words")
    new = str(write("9.png", (0, 0, 90)))
    (pixels, _, reading) = pixels_of([*files, new], SHAPE)
    assert sorted(decoded) == ["3.png", "5.png", "9.png"]
    assert reds(pixels) == [0, 10, 20, 200, 40, 90]
    assert reading.good() == [0, 1, 2, 3, 4, 6]
    assert [os.path.basename(message) for message in reading.bad()] == [
        "5.png: cannot be read (no image of a known format)"
    ]
    decoded.clear()
    assert pixels_of([*files, new], SHAPE)[2].bad() == reading.bad() and decoded == []
    write("5.png", (0, 0, 55), size=(20, 25))
    assert reds(pixels_of([*files, new], SHAPE)[0]) == [0, 10, 20, 200, 40, 55, 90]


def test_what_could_not_be_read_is_tried_again_by_a_program_that_reads_more(
    write, decoded, monkeypatch
):
    path = str(write("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)))
    pixels_of([path], SHAPE)
    pixels_of([path], SHAPE)
    assert decoded == ["photo.heic"]
    monkeypatch.setattr(cache_index, "abilities", lambda: decoding.abilities() + " and more")
    pixels_of([path], SHAPE)
    assert decoded == ["photo.heic"] * 2


def test_a_moved_touched_or_copied_file_is_not_decoded_again(files, decoded, tmp_path):
    pixels_of(files, SHAPE)
    decoded.clear()
    os.utime(files[0], ns=(1, 1))
    moved = str(tmp_path / "in" / "elsewhere.jpg")
    os.rename(files[1], moved)
    copy = str(tmp_path / "in" / "copy.png")
    Path(copy).write_bytes(Path(files[2]).read_bytes())
    assert reds(pixels_of([files[0], moved, files[2], copy], SHAPE)[0]) == [0, 10, 20, 20]
    assert decoded == []


def test_a_folder_is_found_by_any_name_of_it(files, decoded, tmp_path, monkeypatch):
    pixels_of(files, SHAPE)
    os.symlink(tmp_path / "in", tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    decoded.clear()
    pixels_of([f"link/{k}.png" for k in range(6)], SHAPE)
    pixels_of([f"in/{k}.png" for k in range(6)], SHAPE)
    assert decoded == []


def test_two_files_that_change_places_keep_their_own_embedding(files, tmp_path):
    """Of one size and one time; inode and ctime tell them apart."""
    (a, b) = files[:2]
    size = max(os.path.getsize(path) for path in (a, b))
    for path in (a, b):
        Path(path).write_bytes(Path(path).read_bytes().ljust(size, b"\0"))
        os.utime(path, ns=(10**18, 10**18))
    before = embeddings_of([a, b], "model", SHAPE, mean)[1]
    assert before[:, 0].tolist() == [0, 10]
    os.rename(a, tmp_path / "c")
    os.rename(b, a)
    os.rename(tmp_path / "c", b)
    assert embeddings_of([a, b], "model", SHAPE, mean)[1][:, 0].tolist() == [10, 0]


def test_embeddings_are_made_once_for_a_model(files, tmp_path, write):
    embedded = []

    def embed(batch):
        embedded.append(len(batch))
        return mean(batch)

    write("2.png", b"words")
    (paths, embeddings, messages, reused) = embeddings_of(files, "a", SHAPE, embed)
    assert paths == [files[k] for k in (0, 1, 3, 4, 5)] and len(messages) == 1 and reused == 0
    assert embeddings.tolist() == [[0, 1], [10, 1], [30, 1], [40, 1], [50, 1]]
    assert embeddings.dtype == np.float32 and embedded == [5]
    new = str(write("6.png", (0, 0, 60)))
    (paths, embeddings, _, reused) = embeddings_of([new, *files], "a", SHAPE, embed)
    assert embeddings[:, 0].tolist() == [60, 0, 10, 30, 40, 50] and reused == 5
    assert embedded == [5, 1]
    assert embeddings_of(files, "b", SHAPE, embed)[3] == 0 and embedded == [5, 1, 5]
    (paths, embeddings, messages, reused) = embeddings_of(files[2:3], "a", SHAPE, embed)
    assert (paths, len(embeddings), len(messages), reused) == ([], 0, 1, 0)


def test_no_more_than_a_block_waits_in_memory(files, monkeypatch):
    monkeypatch.setattr(caching, "BLOCK_BYTES", 4 * 72)  # four images of 4 * 6 * 3 bytes
    monkeypatch.setattr(images, "THREADS", 1)
    sizes = []
    embeddings_of(files, "m", SHAPE, lambda batch: sizes.append(len(batch)) or mean(batch))
    assert sizes == [4, 2]


def test_progress_is_shown_on_a_terminal_alone(capsys, monkeypatch):
    def shown():
        now = iter([0.0, 0.5, 2.0, 2.5, 5.0])
        monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(now))
        with progress_bar.ProgressBar(2000, "images read") as bar:
            for _ in range(4):
                bar.add(400)
        return [line.strip() for line in capsys.readouterr().err.split("\r") if line.strip()]

    monkeypatch.setattr(progress_bar.ProgressBar, "wanted", True)  # by one of the programs
    assert shown() == []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    # 800 in 2 s, so 1,200 more in 3; 1,600 in 5 s, so 400 more in 1.25
    assert shown() == [
        "800 of 2,000 images read, 3 s left",
        "1,600 of 2,000 images read, 1 s left",
    ]
    monkeypatch.setattr(progress_bar.ProgressBar, "wanted", False)  # in somebody else's program
    assert shown() == []


def test_where_the_cache_lies(monkeypatch, tmp_path):
    assert caching.place() == Path(os.environ["CONTRASTIVE_CACHE"])
    monkeypatch.delenv("CONTRASTIVE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert caching.place() == tmp_path / "contrastive-siamese"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caching.place() == tmp_path / ".cache" / "contrastive-siamese"
    assert caching.size() == 0 and caching.clear() == 0 and list(tmp_path.iterdir()) == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert caching.place() == tmp_path / "Library" / "Caches" / "contrastive-siamese"


def test_a_folder_read_twice_is_not_looked_at_again(write, decoded, tmp_path):
    for k in range(4):
        write(f"a/{k}.png", (10 * k, 0, 0))
        write(f"b/{k}.png", (0, 10 * k + 5, 0))
    first = read_folder(tmp_path / "in")
    assert len(decoded) == 16  # once for their shape, once for their pixels
    decoded.clear()
    second = read_folder(tmp_path / "in")
    assert decoded == [] and (first.images.images[:] == second.images.images[:]).all()
    assert first.files == second.files


def test_a_second_start_asks_the_index_in_few_queries(write, cache, monkeypatch):
    """300 files of three contents: none of the queries is for a single file."""
    files = [str(write(f"{k:03}.png", (0, 0, k % 3))) for k in range(300)]
    pixels_of(files, SHAPE)
    statements = []
    connect = cache_index.Cache._connect

    def traced(self):
        connection = connect(self)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(cache_index.Cache, "_connect", traced)
    assert pixels_of(files, SHAPE)[0].shape == (300, *SHAPE)
    assert 0 < len(statements) < 20
    monkeypatch.setattr(caching, "MANY", 7)  # in blocks of any size the answer is the same
    monkeypatch.setattr(cache_index, "MANY", 7)
    assert reds(pixels_of(files[::-1], SHAPE)[0]) == [2, 1, 0] * 100


def test_the_index_is_of_one_kind(cache, files):
    """One index for all: each file's content once, rows by store."""
    pixels_of(files, SHAPE)
    embeddings_of(files, "model", SHAPE, mean)
    with sqlite3.connect(cache / cache_index.INDEX) as index:
        assert index.execute("SELECT count(*) FROM files").fetchone() == (6,)
        stores = {row[0] for row in index.execute("SELECT store FROM stores")}
    assert stores == {"pixels 4x6x3", "embeddings model 4x6x3"}
