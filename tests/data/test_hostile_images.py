"""Broken and hostile files: none may stop a run, and each is named on one line."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data.folders import read_folder
from pyimagesearch.data.images import read_images
from pyimagesearch.data.listing import list_images
from pyimagesearch.system.names import printable

ROOT = Path(__file__).parents[2]


def test_two_hundred_broken_files():
    """The short form of the benchmark, which exits with 1 for a crash, a leak, or a slow file."""
    command = [sys.executable, "benchmarks/fuzz_images.py", "--files", "200", "--seed", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = dict(re.findall(r"^(\w+) +([\d,]+)", result.stdout, flags=re.MULTILINE))
    assert figures["files"] == "200" and figures["crashes"] == "0"
    assert int(figures["read"]) + int(figures["refused"]) == 200
    assert int(figures["refused"]) > 20  # so they are broken indeed
    assert result.stderr == ""


def photo(kind="PNG", size=(30, 20)):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write_faults(folder):
    """Write files with faults, and return the names of those that are to be complained about."""
    damaged = bytearray(photo())
    damaged[len(damaged) // 2] ^= 1
    faults = {
        "cut.png": photo()[:500],
        "cut.jpg": photo("JPEG")[:-20],
        "cut.gif": photo("GIF")[:300],
        "cut.bmp": photo("BMP")[:300],
        "cut.webp": photo("WEBP")[:100],
        "cut.tif": photo("TIFF")[:300],
        "cut.ppm": photo("PPM")[:300],
        "one bit.png": bytes(damaged),
        "empty.jpeg": b"",
        "words.png": b"no image\n",
        "new\nline.png": b"no image\n",
        "huge.pgm": b"P5 30000 30000 255\n",
        os.fsdecode(b"caf\xe9.png"): b"no image\n",
    }
    for name, data in faults.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "nowhere.png").symlink_to("missing")
    return [*faults, "pipe.png", "loop.png", "nowhere.png"]


def complaints(messages, folder):
    """{the file's name: what is wrong with it}"""
    for message in messages:
        assert message.isprintable()  # so it is one line
    return dict(
        re.fullmatch(f"(?:skipped )?{re.escape(str(folder))}/(.+?): (.+)", message).groups()
        for message in messages
    )


@pytest.mark.skipif(os.name == "nt", reason="no pipes among files")
def test_a_folder_with_many_faults(tmp_path, capfd):
    names = write_faults(tmp_path)
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        (tmp_path / f"good {kind}.png").write_bytes(photo(kind))  # the ending does not matter
    (paths, found, messages) = read_images(list_images(tmp_path), (28, 28, 3))
    assert len(paths) == len(found) == 6
    assert all(os.path.basename(path).startswith("good") for path in paths)
    assert complaints(messages, tmp_path).keys() == {printable(name) for name in names}
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="no pipes among files")
def test_classes_with_many_faults(tmp_path, said):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for k in range(3 if name < "c" else 1):
            (tmp_path / name / f"good{k}.png").write_bytes(photo(size=(20, 30 + 3 * ord(name) + k)))
    names = write_faults(tmp_path / "b")
    (tmp_path / "loop").symlink_to("loop")
    folder = read_folder(tmp_path, shape=(28, 28, 1))
    assert folder.images.images.shape == (6, 28, 28, 1)
    assert folder.images.class_names == ("a", "b")
    assert folder.images.labels.tolist() == [0] * 3 + [1] * 3
    assert folder.counts["skipped"]["unreadable"] == len(names)
    assert "left out class c: 1 images, 2 needed" in said()
    skipped = [line for line in said().splitlines() if line.startswith("skipped /")]
    assert complaints(skipped, tmp_path / "b").keys() == {printable(name) for name in names}
