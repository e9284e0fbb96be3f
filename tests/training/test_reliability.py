"""The short form of the benchmark that kills trainings, fills the disk and watches the memory."""

import re

import pytest

from tests.scripts import run


@pytest.mark.slow
def test_a_few_kills_a_full_disk_and_bounded_memory():
    pytest.importorskip("fcntl")  # what limits a file's size is of the same systems
    flags = ("--kills", 2, "--epochs", 8, "--images", 400)
    done = run("benchmarks/reliability.py", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"2 kills of (\d) runs; torn files 0; .*: \1 of \1$", done.stdout, re.M)
    assert "the old files whole" in done.stdout
