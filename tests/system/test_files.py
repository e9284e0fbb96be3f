"""Files and directories are there whole or not at all."""

from pathlib import Path

import pytest

from pyimagesearch.system.files import check_writable, find_directory, whole_directory, whole_file


def test_whole_file_replaces_at_the_end_only(tmp_path):
    path = tmp_path / "new folder" / "plot.png"
    with whole_file(path) as new:
        Path(new).write_text("first")
        assert not path.exists() and new.endswith(".png")
    with pytest.raises(RuntimeError), whole_file(path) as new:
        Path(new).write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert [p.name for p in path.parent.iterdir()] == ["plot.png"]


def write_directory(path, text):
    with whole_directory(path) as new:
        (Path(new) / "variables").mkdir(parents=True)
        (Path(new) / "variables" / "data").write_text(text)


def test_whole_directory_replaces_at_the_end_only(tmp_path):
    path = tmp_path / "model"
    write_directory(path, "first")
    write_directory(path, "second")
    with pytest.raises(RuntimeError), whole_directory(path) as new:
        write_directory(new, "half")
        raise RuntimeError
    assert (path / "variables" / "data").read_text() == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_process_that_died_between_the_two_renames(tmp_path):
    path, aside = tmp_path / "model", tmp_path / ".old-model"
    write_directory(path, "first")
    path.rename(aside)  # where such a process leaves it
    assert (find_directory(path) / "variables" / "data").read_text() == "first"
    path.rename(aside)
    write_directory(path, "second")
    assert (path / "variables" / "data").read_text() == "second" and not aside.exists()


def test_check_writable(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ValueError, match="can be written to"):
        check_writable(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
