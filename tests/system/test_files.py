"""Files and directories are there whole or not at all, whoever writes beside and is killed."""

import errno
import os
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import pytest

from pyimagesearch.system import files
from pyimagesearch.system.terminal import InputError
from tests.scripts import started


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def write_directory(path, text):
    with files.whole_directory(path) as new:
        (Path(new) / "variables").mkdir(parents=True)
        (Path(new) / "variables" / "data").write_text(text)


def text_of(path):
    return (Path(path) / "variables" / "data").read_text()


def write_file(path, text):
    with files.whole_file(path) as new:
        Path(new).write_text(text)


@pytest.mark.parametrize("write", [write_file, write_directory])
def test_what_is_written_replaces_at_the_end_only(write, tmp_path):
    path = tmp_path / "new folder" / "a"
    write(path, "first")
    write(path, "second")
    whole = files.whole_file if write is write_file else files.whole_directory
    with pytest.raises(RuntimeError), whole(path) as new:
        write(new, "half")
        raise RuntimeError
    assert (path.read_text() if path.is_file() else text_of(path)) == "second"
    assert names(path.parent) == ["a"]


def test_a_link_stays_a_link_and_a_file_keeps_its_permissions(tmp_path):
    (tmp_path / "real").write_text("first")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", "second")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "second"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600


def test_whole_directory_does_not_replace_a_file(tmp_path):
    (tmp_path / "model").write_text("a user's")
    with pytest.raises(NotADirectoryError):
        write_directory(tmp_path / "model", "first")
    assert (tmp_path / "model").read_text() == "a user's" and names(tmp_path) == ["model"]


def test_what_a_user_has_made_stays(tmp_path):
    (tmp_path / ".contrastive-photos22").mkdir()
    mine = [tmp_path / ".contrastive-abcdefgh", tmp_path / ".contrastive-photos22" / "photo"]
    for path in mine:
        path.write_text("mine")
    with files.only_writer(tmp_path):
        write_directory(tmp_path / "model", "first")
    assert all(path.read_text() == "mine" for path in mine) and len(names(tmp_path)) == 3


WAIT = """
import os, sys
from pathlib import Path
from pyimagesearch.system import files
def wait():
    print("there", flush=True)
    sys.stdin.read()
"""
BETWEEN_RENAMES = """
rename = os.rename
def stop(a, b):
    rename(a, b)
    if Path(b).name == files.ASIDE:
        wait()
os.rename = stop
with files.whole_directory(sys.argv[1]) as new:
    Path(new).mkdir()
"""


def waiting(code, path):
    """Another process that has come to where it waits; killed after the block."""
    return started("-c", WAIT + code, path, after="there")


def test_a_process_that_died_between_the_two_renames(tmp_path):
    path = tmp_path / "model"
    write_directory(path, "first")
    with waiting(BETWEEN_RENAMES, path):
        files.restore(tmp_path)  # its writer lives: nothing is touched
        assert not path.exists()
    files.restore(tmp_path)
    assert text_of(path) == "first" and names(tmp_path) == ["model"]


def test_the_litter_of_a_killed_writer_goes_and_that_of_a_live_one_stays(tmp_path):
    writer = waiting("with files.whole_file(sys.argv[1]): wait()", tmp_path / "plot.png")
    with writer, files.only_writer(tmp_path):
        assert len(names(tmp_path)) == 2  # its folder, and the lock of this training
    with files.only_writer(tmp_path):
        pass
    assert names(tmp_path) == []


EIGHT = """
print("there", flush=True)
for _ in range(10):
    with files.whole_file(Path(sys.argv[1]) / "search.png") as new:
        Path(new).write_text(str(os.getpid()) * 20_000)
"""


@pytest.mark.slow
def test_eight_writers_of_one_path(tmp_path):
    with ExitStack() as stack:
        writers = [stack.enter_context(waiting(EIGHT, tmp_path)) for _ in range(8)]
        assert [writer.wait() for writer in writers] == [0] * 8
        text = (tmp_path / "search.png").read_text()
        assert any(text == str(writer.pid) * 20_000 for writer in writers)
    assert names(tmp_path) == ["search.png"]


def test_one_training_at_a_time(tmp_path):
    refused = pytest.raises(InputError, match="no other training")
    with files.only_writer(tmp_path):
        with refused, files.only_writer(tmp_path):
            pass
        with files.only_writer(tmp_path / "elsewhere"):
            write_file(tmp_path / "elsewhere" / "plot.png", "plot")
    with pytest.raises(RuntimeError), files.only_writer(tmp_path):
        raise RuntimeError
    other = waiting("with files.only_writer(sys.argv[1]): wait()", tmp_path)
    with other, refused, files.only_writer(tmp_path):
        pass
    with files.only_writer(tmp_path):  # its lock went with it
        pass
    assert names(tmp_path) == ["elsewhere"]


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    write_directory(tmp_path / "model", "first")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", Mock(side_effect=full))
    with pytest.raises(OSError, match=r"No space left.*model"):
        write_directory(tmp_path / "model", "second")
    with pytest.raises(OSError, match=r"No space left.*plot\.png"):
        write_file(tmp_path / "plot.png", "plot")
    # nor does Ctrl-C between the two renames, before the old one is put back by a third
    renames = [os.rename, Mock(side_effect=KeyboardInterrupt), os.rename]
    monkeypatch.setattr(os, "rename", lambda *ends: renames.pop(0)(*ends))
    monkeypatch.setattr(os, "fsync", Mock())
    with pytest.raises(KeyboardInterrupt):
        write_directory(tmp_path / "model", "third")
    assert text_of(tmp_path / "model") == "first" and names(tmp_path) == ["model"]
