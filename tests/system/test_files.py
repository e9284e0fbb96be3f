"""Files and directories are there whole or not at all."""

import errno
import os
import sys
from pathlib import Path

import pytest

from pyimagesearch.system import exchange, files
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import (
    check_writable,
    find_directory,
    only_writer,
    read_whole,
    state,
    whole_directory,
    whole_file,
)
from tests.system.writing import names, text_of, write_directory


def test_whole_file_replaces_at_the_end_only(tmp_path):
    path = tmp_path / "new folder" / "plot.png"
    with whole_file(path) as new:
        Path(new).write_text("first")
        assert not path.exists() and Path(new).name == "plot.png"
    with pytest.raises(RuntimeError), whole_file(path) as new:
        Path(new).write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert names(path.parent) == ["plot.png"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_whole_directory_replaces_at_the_end_only(can_exchange, tmp_path, monkeypatch):
    if not can_exchange:
        monkeypatch.setattr(files, "exchange", lambda a, b: False)
    path = tmp_path / "model"
    write_directory(path, "first")
    write_directory(path, "second")
    with pytest.raises(RuntimeError), whole_directory(path) as new:
        write_directory(new, "half")
        raise RuntimeError
    assert text_of(path) == "second"
    assert names(tmp_path) == ["model"]


def test_whole_directory_does_not_replace_a_file(tmp_path):
    (tmp_path / "model").write_text("a user's")
    with pytest.raises(NotADirectoryError):
        write_directory(tmp_path / "model", "first")
    assert (tmp_path / "model").read_text() == "a user's" and names(tmp_path) == ["model"]


def test_an_error_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r"No space left.*plot\.png") as raised:  # noqa: SIM117
        with whole_file(tmp_path / "plot.png"):
            raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.errno == errno.ENOSPC


def test_what_a_user_has_made_stays(tmp_path):
    mine = {
        ".new-notes.txt": "n",
        ".old-diary": "d",
        ".contrastive-notes": "c",
        ".contrastive-abcdefgh": "of the very form",
    }
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    for name in (".new-draft", ".old-photos", ".contrastive-photos22"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo").write_text("mine")
    before = names(tmp_path)
    with only_writer(tmp_path):
        write_directory(tmp_path / "model", "first")
        with whole_file(tmp_path / "plot.png") as new:
            Path(new).write_text("plot")
    assert names(tmp_path) == sorted([*before, "model", "plot.png"])
    assert all((tmp_path / name).read_text() == text for name, text in mine.items())
    assert (tmp_path / ".contrastive-photos22" / "photo").read_text() == "mine"


def test_find_directory_that_is_nowhere(tmp_path):
    assert find_directory(tmp_path / "no" / "model") == (tmp_path / "no" / "model").resolve()


def test_read_whole_reads_again_what_was_replaced_meanwhile(tmp_path):
    path, seen = tmp_path / "model", []
    write_directory(path, "first")

    def read(place):
        first = text_of(place)
        if not seen:
            write_directory(path, "second")
        seen.append(first)
        return first, text_of(place)

    assert read_whole(path, read) == ("second", "second")

    def replaced_each_time(place):
        write_directory(path, "again")
        return text_of(place)

    with pytest.raises(InputError, match="stays while it is read"):
        read_whole(path, replaced_each_time)
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "missing", text_of)


@pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="cannot")
def test_exchange(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("b")
    if exchange.exchange(tmp_path / "a", tmp_path / "b"):
        assert (tmp_path / "b").is_dir() and (tmp_path / "a").read_text() == "b"
        with pytest.raises(FileNotFoundError):
            exchange.exchange(tmp_path / "a", tmp_path / "c")


def test_state_changes_with_a_file(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for path in (a, b):
        path.write_text("same size")
        os.utime(path, ns=(0, 0))
    before = state(a)
    assert before == state(a)
    a.rename(tmp_path / "c")
    b.rename(a)  # same size, same time, another file
    assert state(a) != before and state(b) == "missing"


def test_check_writable(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InputError, match="can be written to"):
        check_writable(tmp_path / "file")
    with pytest.raises(InputError, match="a file"):
        check_writable(tmp_path, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
