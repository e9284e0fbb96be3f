"""The cache: what one run has computed, the next does not; where it fails, the run goes on."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyimagesearch.data import cache as caching
from pyimagesearch.data.cache import FILE, read_files
from tests.scripts import ROOT

SHAPE = (4, 6, 3)  # of the pictures of one colour that a cache is asked for
REDS = [0, 10, 20, 30, 40, 50]  # of the fixture `files`


def read(paths, shape=SHAPE):
    return read_files("pixels", paths, shape)


def reds(paths):
    """The red of each file that can be read."""
    return read(paths).values[:, 0].tolist()


def mean(batch):
    """A model that embeds a picture as its red and 1."""
    return np.stack([batch[:, 0, 0, 0], np.ones(len(batch))], axis=1).astype(np.float32)


def embeddings_of(paths, model="model", embed=mean):
    return read_files(f"embeddings {model}", paths, SHAPE, embed, np.float32)


def test_the_second_run_decodes_nothing(files, decoded, cache, said):
    first = read(files)
    assert first.values.shape == (6, 4 * 6 * 3) and reds(files) == REDS
    assert first.contents.dtype == np.uint64 and len(set(first.contents.tolist())) == 6
    assert len(decoded) == 6 and f"kept in {cache}; CONTRASTIVE_CACHE names another" in said()
    again = read(files[::-1])
    assert len(decoded) == 6 and reds(files[::-1]) == REDS[::-1]
    assert again.contents.tolist() == first.contents.tolist()[::-1]
    assert said().count("kept in") == 1  # where something was added
    assert read(files, (4, 6, 1)).values.shape == (6, 24) and len(decoded) == 12


def test_one_new_one_changed_and_one_unreadable_file_cost_these(files, decoded, write):
    read(files)
    decoded.clear()
    write("3.png", (0, 0, 200), size=(21, 25))
    write("5.png", b"words")
    new = str(write("9.png", (0, 0, 90)))
    found = read([*files, new, "none.png"])
    assert sorted(decoded) == ["3.png", "5.png", "9.png", "none.png"]
    assert found.values[:, 0].tolist() == [0, 10, 20, 200, 40, 90]
    assert found.good == [0, 1, 2, 3, 4, 6] and found.reused == 4
    assert found.messages[5].startswith(f"{files[5]}: cannot be read (no image of a known")
    assert found.messages[7].startswith("none.png: cannot be opened")
    write("5.png", (0, 0, 55), size=(20, 25))
    assert reds([*files, new]) == [0, 10, 20, 200, 40, 55, 90]


def test_two_files_that_change_places_keep_their_own_embedding(files, tmp_path):
    """Of one size and one time; inode and ctime tell them apart."""
    (a, b) = files[:2]
    for path in (a, b):
        Path(path).write_bytes(Path(path).read_bytes().ljust(999, b"\0"))
        os.utime(path, ns=(10**18, 10**18))
    assert embeddings_of([a, b]).values[:, 0].tolist() == [0, 10]
    for old, new in ((a, tmp_path / "c"), (b, a), (tmp_path / "c", b)):
        os.rename(old, new)
    assert embeddings_of([a, b]).values[:, 0].tolist() == [10, 0]


def test_embeddings_are_made_once_for_a_model(files, write):
    embedded = []

    def embed(batch):
        embedded.append(len(batch))
        return mean(batch)

    write("2.png", b"words")
    found = embeddings_of(files, "a", embed)
    assert found.good == [0, 1, 3, 4, 5] and list(found.messages) == [2]
    assert found.values.tolist() == [[0, 1], [10, 1], [30, 1], [40, 1], [50, 1]]
    assert found.values.dtype == np.float32 and found.reused == 0 and embedded == [5]
    assert embeddings_of(files, "a", embed).reused == 5 and embedded == [5]
    assert embeddings_of(files, "b", embed).reused == 0 and embedded == [5, 5]
    found = embeddings_of(files[2:3], "a", embed)
    assert (found.good, len(found.values), len(found.messages), found.reused) == ([], 0, 1, 0)


RUN = """
import os, signal, sys
import numpy as np
from pyimagesearch.data import cache
cache.BLOCK_FILES = 4
calls = []
def embed(batch):
    calls.append(1)
    if len(calls) == 2 and END:
        os.kill(os.getpid(), END)
    return np.stack([batch[:, 0, 0, 0], np.ones(len(batch))], axis=1).astype(np.float32)
found = cache.read_files("embeddings model", sys.argv[1:], (4, 6, 3), embed, np.float32)
sys.exit(found.values[:, 0].tolist() != [0, 10, 20, 30, 40, 50] * (len(found.good) // 6))
"""


@pytest.mark.skipif(os.name == "nt", reason="no signals")
@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_was(files, decoded):
    code = RUN.replace("END", str(int(signal.SIGKILL)))
    assert subprocess.run([sys.executable, "-c", code, *files], cwd=ROOT).returncode == -9
    found = embeddings_of(files)
    assert found.reused == 4 and sorted(decoded) == ["4.png", "5.png"]
    assert found.values[:, 0].tolist() == REDS


@pytest.mark.slow
def test_eight_searches_at_a_time(files, cache):
    command = [sys.executable, "-c", RUN.replace("END", "0"), *files * 20]
    searches = [subprocess.Popen(command, cwd=ROOT) for _ in range(8)]
    assert [search.wait() for search in searches] == [0] * 8
    with sqlite3.connect(cache / FILE) as db:  # each image once, whoever came first
        assert db.execute("SELECT count(*) FROM kept WHERE store != 'contents'").fetchone() == (6,)


def test_a_damaged_cache_costs_time_alone(files, decoded, cache):
    for damage in (b"words" * 1000, b"SQLite format 3\0" + b"words" * 1000):
        (cache / FILE).write_bytes(damage)
        for _ in range(2):  # in a temporary one, in a new one
            assert reds(files) == REDS
    decoded.clear()
    assert reds(files) == REDS and decoded == []


@pytest.mark.parametrize(
    "file, cache", [("a", "a"), ("a", "a/below"), (f"a/{FILE}/folder for the table", "a")]
)
def test_a_cache_that_cannot_be_used_is_no_failure(files, tmp_path, monkeypatch, said, file, cache):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / cache))
    assert reds(files) == REDS
    assert said().count("the cache cannot be used") == 1


def test_what_was_read_stays_when_the_cache_is_cleared(files, cache):
    for name in ("mine.txt", "contrastive-1.sqlite"):
        (cache / name).write_text("mine, or of an earlier version")
    values = read(files).values
    caching.clear()
    assert [path.name for path in cache.iterdir()] == ["mine.txt"]
    assert values[:, 0].tolist() == REDS == reds(files)
