"""Broken, hostile and large files: none may stop a run, and each is named on one line."""

import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data.images import MAX_BYTES, decode, read_image, read_images
from pyimagesearch.data.listing import list_images
from pyimagesearch.system.errors import printable
from tests.data.pictures import opencv_bytes, pillow_bytes, seen

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_hundred_broken_files():
    """The short form of the benchmark, which exits with 1 for a crash, a leak, or a slow file."""
    command = [sys.executable, "benchmarks/fuzz_images.py", "--files", "200", "--seed", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    figures = dict(re.findall(r"^(\w+) +([\d,]+)", result.stdout, flags=re.MULTILINE))
    assert figures["files"] == "200" and figures["crashes"] == "0"
    assert int(figures["read"]) + int(figures["refused"]) == 200
    assert int(figures["refused"]) > 20  # so they are broken indeed
    assert result.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="no pipes among files")
def test_a_folder_with_many_faults(tmp_path, photo, capfd):
    png, damaged = (bytearray(opencv_bytes(photo, ".png")) for _ in range(2))
    damaged[len(damaged) // 2] ^= 1
    reasons = {
        "one bit.png": (damaged, "cannot be read"),
        "cut.gif": (opencv_bytes(photo, ".gif")[:300], "cannot be read"),
        "empty.jpeg": (b"", "empty"),
        "words.png": (b"these are words\n" * 100, "no image of a known format"),
        "new\nline.png": (b"no image\n", "no image of a known format"),
        "huge.png": (png[:16] + (30000).to_bytes(4) * 2 + png[24:], "cannot be read"),
        "rare.tif": (b"II*\0" + bytes(20), "no image of a known format"),
        os.fsdecode(b"caf\xe9.png"): (b"no image\n", "no image of a known format"),
    }
    for name, (data, _) in reasons.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "nowhere.png").symlink_to("missing")
    with open(tmp_path / "large.png", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    others = {
        "pipe.png": "not a file",
        "loop.png": "cannot be opened",
        "nowhere.png": "cannot be opened",
        "large.png": "more than 220,000,000",
    }
    wanted = {name: reason for name, (_, reason) in reasons.items()} | others
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        (tmp_path / f"good {kind}.png").write_bytes(pillow_bytes(photo, kind))
    (paths, found, messages) = read_images(list_images(tmp_path), (28, 28, 3))
    assert len(paths) == len(found) == 6
    assert all(os.path.basename(path).startswith("good") for path in paths)
    assert len(messages) == len(wanted) and all(m.isprintable() for m in messages)  # one line
    for name, reason in wanted.items():
        (message,) = [m for m in messages if m.startswith(f"{tmp_path}/{printable(name)}: ")]
        assert reason in message
    assert capfd.readouterr() == ("", "")


def claiming(side):
    """{kind: a file that claims to have side x side pixels}"""

    def claim(kind, mark, offset, layout, **options):
        data = pillow_bytes(Image.new("RGB", (30, 40), "red"), kind, **options)
        at = data.index(mark) + offset
        return data[:at] + struct.pack(layout, side, side) + data[at + struct.calcsize(layout) :]

    png = claim("PNG", b"IHDR", 4, ">II")
    return {
        "png": png[:29] + zlib.crc32(png[12:29]).to_bytes(4) + png[33:],
        "bmp": claim("BMP", b"BM", 18, "<ii"),
        "jpg": claim("JPEG", b"\xff\xc0", 5, ">HH"),
        "progressive": claim("JPEG", b"\xff\xc2", 5, ">HH", progressive=True),
        "jp2": claim("JPEG2000", b"ihdr", 4, ">II"),
        "avif": claim("AVIF", b"ispe", 8, ">II"),  # its own decoder would take them
        "pgm": b"P5 %d %d 255\n" % (side, side),
    }


@pytest.mark.parametrize("side", [8_000, 16_000])
@pytest.mark.parametrize("kind", claiming(1))
def test_a_claim_of_too_many_pixels_is_refused(kind, side):
    with pytest.raises(ValueError, match=r"name: .*(more than|exceeds limit|too little|broken)"):
        seen(claiming(side)[kind])


def test_what_would_take_long_is_refused(photo):
    jpeg = pillow_bytes(np.full((2000, 2000, 3), photo[0, 0]), "JPEG", progressive=True)
    start = jpeg.index(b"\xff\xda")
    with pytest.raises(ValueError, match="too many scans"):
        seen(jpeg[:start] + jpeg[start:-2] * 100 + b"\xff\xd9")
    for text in (b"P2 2000 2000 255\n", b"P2 9 9 255\n" + b"#\n" * 2000):
        with pytest.raises(ValueError, match="it would take long"):
            seen(text)


@pytest.mark.slow
def test_a_reduced_photo_looks_the_same(tmp_path):
    y, x = np.mgrid[0:1200, 0:1600]
    photo = np.stack([x * 255 // 1600, y * 255 // 1200, (x + y) * 255 // 2800], axis=-1)
    for kind in ("JPEG", "JPEG2000"):
        data = pillow_bytes(photo.astype(np.uint8), kind)
        # twice the side that is wanted, or more: 1200 / 8 = 150
        assert decode(data, "name", 64).shape == (150, 200, 3)
        assert decode(data, "name").shape == (1200, 1600, 3)
        (tmp_path / "photo").write_bytes(data)
        small = read_image(tmp_path / "photo", (60, 80, 3))  # of 20 x 20 pixels each
        means = photo.reshape(60, 20, 80, 20, 3).mean(axis=(1, 3))
        assert np.abs(small - means).max() < 4
