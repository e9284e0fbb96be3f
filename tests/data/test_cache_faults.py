"""The cache when it is interrupted, shared, torn, cleared or not to be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyimagesearch.data import cache as caching
from pyimagesearch.data import cache_index, cache_place, images
from pyimagesearch.data.cache import embeddings_of, pixels_of
from tests.data.pictures import SMALL as SHAPE
from tests.data.pictures import mean, reds, rows_files

ROOT = Path(__file__).parents[2]


def test_an_interrupted_reading_goes_on_where_it_was(files, decoded, tmp_path, monkeypatch):
    monkeypatch.setattr(caching, "BLOCK_FILES", 2)
    monkeypatch.setattr(images, "THREADS", 1)

    def interrupted(batch):
        if len(decoded) > 2:
            raise KeyboardInterrupt
        return mean(batch)

    with pytest.raises(KeyboardInterrupt):
        embeddings_of(files, "model", SHAPE, interrupted)
    decoded.clear()
    (_, embeddings, _, reused) = embeddings_of(files, "model", SHAPE, mean)
    assert decoded == ["2.png", "3.png", "4.png", "5.png"] and reused == 2
    assert embeddings[:, 0].tolist() == [0, 10, 20, 30, 40, 50]


KILLED = """
import os, signal, sys
import numpy as np
from pyimagesearch.data import cache
cache.BLOCK_FILES = 4
calls = []
def embed(batch):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return np.stack([batch[:, 0, 0, 0], np.ones(len(batch))], axis=1).astype(np.float32)
cache.embeddings_of(sys.argv[1:], "model", (4, 6, 3), embed)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signals")
def test_a_killed_search_goes_on_where_it_was(files, decoded, tmp_path):
    result = subprocess.run([sys.executable, "-c", KILLED, *files], cwd=ROOT)
    assert result.returncode == -9
    (_, embeddings, _, reused) = embeddings_of(files, "model", SHAPE, mean)
    assert reused == 4 and sorted(decoded) == ["4.png", "5.png"]
    assert embeddings[:, 0].tolist() == [0, 10, 20, 30, 40, 50]


SEARCH = (
    KILLED.replace("len(calls) == 2", "False").replace(
        "cache.embeddings_of", "(_, found, _, _) = cache.embeddings_of"
    )
    + """
sys.exit(found[:, 0].tolist() != [0, 10, 20, 30, 40, 50] * 20)
"""
)


@pytest.mark.slow
def test_eight_searches_at_a_time(files, cache):
    command = [sys.executable, "-c", SEARCH, *files * 20]
    searches = [subprocess.Popen(command, cwd=ROOT) for _ in range(8)]
    assert [search.wait() for search in searches] == [0] * 8
    (rows,) = rows_files(cache)
    assert rows.stat().st_size == 6 * 2 * 4  # each image once, whoever came first


def test_torn_files_cost_time_alone(files, decoded, cache):
    pixels_of(files, SHAPE)
    (rows,) = rows_files(cache)
    rows.write_bytes(rows.read_bytes()[: 4 * 72 - 1])  # three of six whole rows of 4 * 6 * 3
    decoded.clear()
    assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]
    assert sorted(decoded) == ["3.png", "4.png", "5.png"]
    rows.unlink()
    assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]
    rows.write_bytes(rows.read_bytes() + b"not committed")
    assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]
    for content in (b"words" * 1000, b"SQLite format 3\0" + b"words" * 1000):
        (cache / cache_index.INDEX).write_bytes(content)
        assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]
    decoded.clear()
    pixels_of(files, SHAPE)
    assert decoded == []  # the index is whole again


def test_another_version_reads_anew(files, decoded, cache, monkeypatch):
    pixels_of(files, SHAPE)
    decoded.clear()
    monkeypatch.setattr(cache_index, "VERSION", 99)
    pixels_of(files, SHAPE)
    assert len(decoded) == 6 and len(rows_files(cache)) == 1


@pytest.mark.parametrize("fault", ["a file", "a folder for the index", "a full disk"])
def test_a_cache_that_cannot_be_used_is_no_failure(files, tmp_path, monkeypatch, said, fault):
    place = tmp_path / "place"
    if fault == "a file":
        place.write_bytes(b"")
    elif fault == "a folder for the index":
        (place / cache_index.INDEX / "full").mkdir(parents=True)
    else:
        append = cache_index.Cache._append

        def full(self, *rest):
            if self.folder == place:
                raise OSError(28, "No space left on device")
            append(self, *rest)

        monkeypatch.setattr(cache_index.Cache, "_append", full)
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(place))
    assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]
    assert said().count("the cache cannot be used") == 1
    embeddings = embeddings_of(files, "model", SHAPE, mean)[1]
    assert embeddings[:, 0].tolist() == [0, 10, 20, 30, 40, 50]


def test_what_was_mapped_stays_when_the_cache_is_cleared(files, cache):
    (cache / "mine.txt").write_text("mine")
    (pixels, _, _) = pixels_of(files, SHAPE)
    embeddings_of(files, "model", SHAPE, mean)
    assert caching.size() >= 6 * 72 + 6 * 8
    assert caching.clear() > 0 and caching.size() == 0
    assert {path.name for path in cache.iterdir()} <= {"mine.txt", cache_index.LOCK}
    assert reds(pixels) == [0, 10, 20, 30, 40, 50]
    assert reds(pixels_of(files, SHAPE)[0]) == [0, 10, 20, 30, 40, 50]


def test_the_temporary_cache_goes_with_its_run(files, monkeypatch, tmp_path):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "in" / "0.png" / "below a file"))
    monkeypatch.setattr(cache_place.tempfile, "tempdir", str(tmp_path))
    pixels_of(files, SHAPE)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
