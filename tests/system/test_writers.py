"""Several writers and readers at a time, killed ones, and locks."""

import errno
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyimagesearch.system import files, locks, temporary
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import (
    find_directory,
    locked,
    only_writer,
    read_whole,
    whole_file,
)
from tests.system.writing import in_another_process, names, text_of, write_directory

KILLED_BETWEEN_RENAMES = """
import os, sys, time
from pathlib import Path
from pyimagesearch.system import files
files.exchange = lambda a, b: False
rename = os.rename
def stop(a, b):
    if Path(a).parent.name == "new":
        print("there", flush=True)
        time.sleep(60)
    rename(a, b)
os.rename = stop
with files.whole_directory(sys.argv[1]) as new:
    Path(new, "variables").mkdir(parents=True)
    Path(new, "variables", "data").write_text("second")
"""


def test_a_process_that_died_between_the_two_renames(tmp_path):
    path = tmp_path / "model"
    write_directory(path, "first")
    with in_another_process(KILLED_BETWEEN_RENAMES, path):
        assert not path.exists()
        start = time.monotonic()
        found = find_directory(path)  # its writer lives: a reader waits, then takes the old one
        assert time.monotonic() - start > 1 and text_of(found) == "first"
    before = names(tmp_path)
    assert text_of(find_directory(path)) == "first"
    assert names(tmp_path) == before and not path.exists()  # a reader renames nothing
    with only_writer(tmp_path):
        assert text_of(path) == "first"
    # the file of its lock goes with the next one who locks
    assert set(names(tmp_path)) <= {"model", files.WRITING}
    write_directory(path, "third")
    assert text_of(path) == "third" and names(tmp_path) == ["model"]


@pytest.mark.slow
def test_readers_never_make_a_writer_lose_its_model(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_directory(path, "0")
    seen, stop = [], threading.Event()

    def read():
        try:
            while not stop.is_set():
                seen.append(read_whole(path, text_of))
        except OSError as error:
            seen.append(repr(error))

    with monkeypatch.context() as patch:
        patch.setattr(files, "exchange", lambda a, b: False)
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for k in range(1, 200):
            write_directory(path, str(k))
        stop.set()
        for reader in readers:
            reader.join()
    assert text_of(path) == "199" and names(tmp_path) == ["model"]
    assert len(set(seen)) > 1 and set(seen) <= set(map(str, range(200)))


EIGHT = """
import sys
from pathlib import Path
from pyimagesearch.system.files import whole_directory, whole_file
print("there", flush=True)
for _ in range(20):
    with whole_file(Path(sys.argv[1]) / "search.png") as new:
        Path(new).write_text(sys.argv[2] * 100_000)
    with whole_directory(Path(sys.argv[1]) / "model") as new:
        Path(new).mkdir()
        for name in "ab":
            (Path(new) / name).write_text(sys.argv[2] * 1000)
"""


@pytest.mark.slow
def test_eight_writers_of_one_path(tmp_path):
    with ExitStack() as stack:
        processes = [in_another_process(EIGHT, tmp_path, digit) for digit in "12345678"]
        writers = [stack.enter_context(process) for process in processes]
        assert [writer.wait(timeout=60) for writer in writers] == [0] * 8
    text = (tmp_path / "search.png").read_text()
    assert len(text) == 100_000 and len(set(text)) == 1
    assert (tmp_path / "model" / "a").read_text() == (tmp_path / "model" / "b").read_text()
    assert names(tmp_path) == ["model", "search.png"]


def test_the_litter_of_a_killed_writer_goes_and_that_of_a_live_one_stays(tmp_path):
    code = """
import sys, time
from pathlib import Path
from pyimagesearch.system.files import whole_file
with whole_file(sys.argv[1]) as new:
    Path(new).write_text("half")
    print("there", flush=True)
    time.sleep(60)
"""
    with in_another_process(code, tmp_path / "plot.png"), only_writer(tmp_path):
        assert len([n for n in names(tmp_path) if temporary.NAME.fullmatch(n)]) == 1
    with only_writer(tmp_path):
        pass
    assert names(tmp_path) == []


def test_one_training_at_a_time(tmp_path):
    with only_writer(tmp_path):
        with pytest.raises(InputError, match="no other training"), only_writer(tmp_path):
            pass
        refused = []

        def train():
            try:
                with only_writer(tmp_path):
                    pass
            except InputError as error:
                refused.append(error)

        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
        assert len(refused) == 1
        with only_writer(tmp_path / "elsewhere"):
            pass
    with pytest.raises(RuntimeError), only_writer(tmp_path):
        raise RuntimeError
    with only_writer(tmp_path):  # also after one that raised
        pass
    assert names(tmp_path) == ["elsewhere"]


def test_another_process_trains_here(tmp_path):
    code = """
import sys, time
from pyimagesearch.system.files import only_writer
with only_writer(sys.argv[1]):
    print("there", flush=True)
    time.sleep(60)
"""
    refused = pytest.raises(InputError, match="no other training")
    with in_another_process(code, tmp_path), refused, only_writer(tmp_path):
        pass
    with only_writer(tmp_path):  # its lock went with it
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks(number, tmp_path, monkeypatch, caplog):
    def no_locks(descriptor, **flags):
        raise OSError(number, "no locks here")

    monkeypatch.setattr(locks, "lock_descriptor", no_locks)
    with caplog.at_level("INFO", logger="pyimagesearch"), only_writer(tmp_path):
        write_directory(tmp_path / "model", "first")
        write_directory(tmp_path / "model", "second")
        with whole_file(tmp_path / "plot.png") as new:
            Path(new).write_text("plot")
    assert len(caplog.records) == 1 and "no locks" in caplog.text
    assert text_of(tmp_path / "model") == "second" and names(tmp_path) == ["model", "plot.png"]


def test_locked_lets_one_at_a_time_write(tmp_path):
    path, inside, most = tmp_path / "settings", [], []

    def write():
        with locked(path):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=write) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5 and names(tmp_path) == []


def test_a_lock_whose_file_was_taken_away_guards_nothing(tmp_path):
    with locks.hold(tmp_path / "lock"):
        waiting = os.open(tmp_path / "lock", os.O_RDWR)
    assert not locks._is(waiting, str(tmp_path / "lock"))
    os.close(waiting)
