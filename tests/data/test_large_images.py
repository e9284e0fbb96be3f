"""Large pictures: what is read, in how much memory, and what is refused before it is reserved."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data.images import decode, read_image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_hundred_megapixels():
    """A JPEG photo of 16320 x 12240, put together from one row of blocks, which is repeated.

    With a restart interval of one row (1020 blocks of 16 x 16 pixels) each row stands on its own.
    """
    noise = np.random.default_rng(0).integers(0, 256, (4, 1020, 3), dtype=np.uint8)
    row = cv2.resize(noise, (16320, 16))
    flags = [cv2.IMWRITE_JPEG_RST_INTERVAL, 1020, cv2.IMWRITE_JPEG_QUALITY, 95]
    data = cv2.imencode(".jpg", row, flags)[1].tobytes()
    size = data.index(b"\xff\xc0") + 5
    data = data[:size] + struct.pack(">H", 12240) + data[size + 2 :]
    start = data.index(b"\xff\xda")
    start += 2 + int.from_bytes(data[start + 2 : start + 4])
    rows = [data[start:-2] + bytes([0xFF, 0xD0 + k % 8]) for k in range(12240 // 16)]
    return data[:start] + b"".join(rows)[:-2] + b"\xff\xd9"


READ = """
import re, sys
from pyimagesearch.data.images import read_image
side = int(sys.argv[2])
assert read_image(sys.argv[1], (side, side, 3))[::8, ::8].std() > 5
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


# ru_maxrss would be that of the tests, from which the process is forked
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no measure of the memory")
@pytest.mark.parametrize("side", [64, 4096])
def test_a_photo_of_two_hundred_megapixels_takes_less_than_300_mb(tmp_path, side):
    (tmp_path / "photo.jpg").write_bytes(two_hundred_megapixels())
    command = [sys.executable, "-c", READ, str(tmp_path / "photo.jpg"), str(side)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) * 1024 < 300e6


def test_a_reduced_photo_looks_the_same(tmp_path):
    y, x = np.mgrid[0:1200, 0:1600]
    photo = np.stack([x * 255 // 1600, y * 255 // 1200, (x + y) * 255 // 2800], axis=-1)
    image = Image.fromarray(photo.astype(np.uint8))
    for kind in ("JPEG", "JPEG2000"):
        data = encoded(image, kind)
        reduced = decode(data, "name", 64)
        # twice the side that is wanted, or more: 1200 / 8 = 150
        assert reduced.shape == (150, 200, 3) and decode(data, "name").shape == (1200, 1600, 3)
        (tmp_path / "photo").write_bytes(data)
        small = read_image(tmp_path / "photo", (60, 80, 3))  # of 20 x 20 pixels each
        means = photo.reshape(60, 20, 80, 20, 3).mean(axis=(1, 3))
        assert np.abs(small - means).max() < 4


@pytest.mark.parametrize("size", [(8192, 6144), (8256, 6192)])
def test_what_cameras_call_fifty_megapixels_is_read_in_any_format(tmp_path, size):
    (tmp_path / "photo.png").write_bytes(encoded(Image.new("1", size, 1), "PNG"))
    assert (read_image(tmp_path / "photo.png", (8, 8, 1)) == 255).all()


CLAIM = 16_000  # 256 million pixels; AVIF's own decoder would take them


def claiming(data, mark, offset, layout):
    """data with another size `offset` bytes behind the start of a mark."""
    at = data.index(mark) + offset
    claim = struct.pack(layout, CLAIM, CLAIM)
    return data[:at] + claim + data[at + len(claim) :]


def claiming_png(data, mark, offset, layout):
    data = claiming(data, mark, offset, layout)  # its checksum is to be right
    return data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]


def claiming_tiff(data):
    for tag in (256, 257):  # width and height: tag, type, count of 1, value
        at = data.index(struct.pack("<H", tag), 8)
        data = data[:at] + struct.pack("<HHII", tag, 4, 1, CLAIM) + data[at + 12 :]
    return data


def claims():
    colour = Image.new("RGB", (30, 40), "red")
    files = {
        "png": claiming_png(encoded(colour, "PNG"), b"IHDR", 4, ">II"),
        "gif": claiming(encoded(colour, "GIF"), b"GIF", 6, "<HH"),
        "bmp": claiming(encoded(colour, "BMP"), b"BM", 18, "<ii"),
        "jpg": claiming(encoded(colour, "JPEG"), b"\xff\xc0", 5, ">HH"),
        "progressive": claiming(encoded(colour, "JPEG", progressive=True), b"\xff\xc2", 5, ">HH"),
        "jp2": claiming(encoded(colour, "JPEG2000"), b"ihdr", 4, ">II"),
        "avif": claiming(encoded(colour, "AVIF"), b"ispe", 8, ">II"),
        "pgm": b"P5 16000 16000 255\n",
        "pbm": b"P4 16000 16000\n",
        "tiff": claiming_tiff(encoded(colour, "TIFF")),
    }
    deep = np.zeros((40, 30, 3), np.uint16)
    files["deep tiff"] = claiming_tiff(cv2.imencode(".tiff", deep)[1].tobytes())
    return files


@pytest.mark.parametrize("kind", claims())
def test_a_claim_of_too_many_pixels_is_refused(kind):
    limit = {"jpg": "200,000,000", "deep tiff": "36,666,666"}
    with pytest.raises(ValueError, match=f"name: .*more than {limit.get(kind, '55,000,000')}"):
        decode(claims()[kind], "name")
