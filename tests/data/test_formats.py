"""Every format and way of storing pixels, as a person sees them."""

import base64
import io
import struct
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data import decoding
from pyimagesearch.data.images import read_image
from pyimagesearch.data.listing import list_images
from tests.data.pictures import opencv_bytes, pillow_bytes, seen

# pytest lets through the warnings that the scripts turn off
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tiff", "webp", "jpg", "JPG", "gif"])
def test_colour_of_every_format(tmp_path, photo, ending):
    path = tmp_path / f"photo {ending} äöü.{ending}"
    path.write_bytes(opencv_bytes(photo, f".{ending.lower()}"))
    image = read_image(path, (40, 30, 3))
    assert image.dtype == np.uint8
    lost = 20 if ending == "gif" else 6  # of 256: a palette of few colours, or compression
    assert np.abs(image[:, :, ::-1].astype(int) - photo).mean() < lost  # RGB


@pytest.mark.parametrize("ending", ["png", "bmp", "pgm", "tiff", "jpg"])
def test_grey_has_one_channel_at_its_own_size(photo, ending):
    image = seen(opencv_bytes(photo[:, :, 1], f".{ending}"))
    assert image.shape == (40, 30, 1)
    assert np.abs(image[:, :, 0].astype(int) - photo[:, :, 1]).max() <= 3


SIXTEEN = [0, 257, 0x7FFF, 0x8000, 40_000, 0xFFFF]  # / 257: 0, 1, 127.498, 127.502, 155.6, 255
EIGHT = [0, 1, 127, 128, 156, 255]


@pytest.mark.parametrize("ending", [".png", ".tiff", ".pgm"])
def test_sixteen_bits_of_grey(ending):
    assert seen(opencv_bytes(np.array([SIXTEEN], np.uint16), ending)).ravel().tolist() == EIGHT


@pytest.mark.parametrize("ending", [".png", ".tiff", ".ppm"])
def test_sixteen_bits_of_colour(ending):
    bgr = np.array([SIXTEEN], np.uint16).reshape(1, 2, 3)
    assert seen(opencv_bytes(bgr, ending))[:, :, ::-1].ravel().tolist() == EIGHT


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_sixteen_bits_with_transparency(ending):
    bgra = np.array([[[0, 257, 40_000, 0xFFFF], [0, 257, 40_000, 0]]], np.uint16)
    # opaque: the colour; transparent: white
    expected = [[156, 1, 0], [255, 255, 255]]
    assert seen(opencv_bytes(bgra, ending))[0].tolist() == expected


def png(colours, row, *chunks, packed=None):
    """One row of two pixels with 16 bits a channel, in a PNG written by hand."""
    packed = packed or zlib.compress(b"\0" + struct.pack(f">{len(row)}H", *row))
    header = struct.pack(">IIBBBBB", 2, 1, 16, colours, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in [(b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b"")]:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        data += struct.pack(">I", len(content)) + kind + content + checksum
    return data


def test_sixteen_bits_with_other_kinds_of_transparency():
    # grey, and how opaque it is
    assert seen(png(4, [40_000, 0xFFFF, 40_000, 0])).tolist() == [[[156], [255]]]
    # one colour that is transparent, of grey and of RGB
    key = (b"tRNS", struct.pack(">H", 500))
    assert seen(png(0, [500, 40_000], key)).tolist() == [[[255], [156]]]
    key = (b"tRNS", struct.pack(">HHH", 500, 501, 502))
    row = [500, 501, 502, 500, 501, 40_000]
    assert seen(png(2, row, key)).tolist() == [[[255, 255, 255], [2, 2, 156]]]


def test_damage_behind_right_checksums(capfd):
    row = b"\0" + struct.pack(">HH", 257, 257)
    # no compression at all; a filter that there is not; too short
    for packed in (row, zlib.compress(b"\7" + row[1:]), zlib.compress(row[:-1])):
        with pytest.raises(ValueError, match=r"^name: cannot be read"):
            seen(png(0, [], packed=packed))
    too_long = zlib.compress(row * 9) + b"more"
    assert seen(png(0, [], packed=too_long)).ravel().tolist() == [1, 1]
    assert capfd.readouterr().err == ""


def tiff(pixels, bits, photometric):
    """One row of grey in a TIFF of nine tags: 8 + 2 + 9 * 12 + 4 = 122 bytes before the pixels."""
    width = len(pixels) * 8 // bits
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric}
    tags |= {273: 122, 277: 1, 278: 1, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def test_tiff_where_zero_is_white():
    assert seen(tiff(struct.pack("<HH", 0, 40_000), 16, 0)).ravel().tolist() == [255, 255 - 156]
    assert seen(tiff(bytes([0, 200]), 8, 0)).ravel().tolist() == [255, 55]


def test_tiff_of_twelve_bits():
    # 0x000, 0xFFF, 0x800, 0x800, of 0xFFF
    values = seen(tiff(bytes.fromhex("000fff800800"), 12, 1)).ravel().tolist()
    assert values == [0, 255, 128, 128]


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"P2 3 1 100 0 50 100", [0, 128, 255]),  # 50 / 100 * 255 = 127.5
        (b"P2\n# made by hand\n3 1\n1000\n0 # black\n 500\n1000\n", [0, 128, 255]),
        (b"P3\n1 1\n255\n1\n2\n3", [1, 2, 3]),
        (b"P5 3 1 100\n\x00\x32\x64", [0, 128, 255]),
        (b"P6 1 1 65535\n\x00\x00\x01\x01\xff\xff", [0, 1, 255]),
        (b"P1 3 1\n0 1 0", [255, 0, 255]),  # one is black
        (b"P1\n# by hand\n3 1\n01 # no space\n0", [255, 0, 255]),
        (b"P4 3 1\n\x40", [255, 0, 255]),
        (b"P4\n9 1\n\x40\x80", [255, 0] + [255] * 6 + [0]),  # a row is whole bytes
    ],
)
def test_portable_maps(text, expected):
    assert seen(text).ravel().tolist() == expected


def test_damaged_bitmaps():
    for data in (b"P1 3 1 0 1", b"P1 3 1 0 2 0", b"P4 9 2 abc", b"P4 9", b"P4 0 1 "):
        with pytest.raises(ValueError, match=r"^name: cannot be read"):
            seen(data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_tiff(dtype):
    for row in ([0, 0.25, 1], [[0, 0.25, 1]]):  # grey, colour
        image = seen(opencv_bytes(np.array([row], dtype), ".tiff"))
        assert sorted(image.ravel().tolist()) == [0, 64, 255]  # 0.25 * 255 = 63.75
    for value in (np.nan, np.inf, -0.1, 255):
        with pytest.raises(
            ValueError, match=r"name: cannot be read \(values from .* to .*, not from 0 to 1\)"
        ):
            seen(opencv_bytes(np.array([[0, value]], dtype), ".tiff"))


def transparent_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_palette(kind):
    assert seen(pillow_bytes(transparent_palette(), kind)).tolist() == [
        [[10, 20, 30], [40, 50, 60]]
    ]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparency_of_a_palette_is_white(kind):
    image = seen(pillow_bytes(transparent_palette(), kind, transparency=1))
    assert image.tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_over_white(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    rgba = np.array([[[100, 0, 200, 255], [100, 0, 200, 51]]], np.uint8)
    # 51 / 255 = 0.2: 0.2 * 100 + 0.8 * 255 = 224, 0.8 * 255 = 204, 0.2 * 200 + 204 = 244
    image = seen(pillow_bytes(rgba, kind, **options))
    assert image.tolist() == [[[100, 0, 200], [224, 204, 244]]]


def test_transparency_of_grey():
    grey = Image.fromarray(np.array([[100, 50]], np.uint8))
    grey.putalpha(51)
    assert seen(pillow_bytes(grey, "PNG")).tolist() == [[[224], [214]]]  # 0.2 * 50 + 204 = 214
    grey = Image.fromarray(np.array([[100, 50]], np.uint8))
    assert seen(pillow_bytes(grey, "PNG", transparency=50)).tolist() == [[[100], [255]]]
    one_bit = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert seen(pillow_bytes(one_bit, "PNG", transparency=0)).tolist() == [[[255], [255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit(kind):
    rows = np.array([[0, 1, 1], [1, 0, 1]], bool)
    image = seen(pillow_bytes(Image.fromarray(rows), kind))
    assert np.array_equal(image[:, :, 0], rows * 255)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_as_pillow_shows_it(photo, kind):
    data = pillow_bytes(Image.fromarray(photo[:, :, ::-1]).convert("CMYK"), kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(seen(data), expected)
    assert np.abs(expected.astype(int) - photo[:, :, ::-1]).mean() < 6


# how the stored picture is to be turned, by the EXIF standard: where its first row and column go


def test_jpeg_2000_with_transparency():
    rgba = np.full((8, 8, 4), (100, 0, 200, 51), np.uint8)  # see test_transparency_over_white
    image = seen(pillow_bytes(rgba, "JPEG2000"))
    assert np.abs(image.astype(int) - (224, 204, 244)).max() <= 1


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)


def test_heic_is_named_where_its_reader_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "pi_heif", lambda: None)
    with pytest.raises(ValueError, match=r"name: .*pip install pi-heif"):
        seen(HEIC)  # whatever its ending
    (tmp_path / "photo.HEIC").write_bytes(HEIC)
    with pytest.raises(ValueError, match="with none"):
        list_images(tmp_path)


def test_heic_is_read_where_its_reader_is_installed(tmp_path):
    if decoding.pi_heif() is None:
        pytest.skip("pi-heif is not installed")
    from benchmarks.sound_images import HEIC as encoded

    (tmp_path / "photo.HEIC").write_bytes(base64.b64decode(encoded))
    (path,) = list_images(tmp_path)
    image = read_image(path, (8, 8, 3))
    assert np.abs(image.astype(int) - (200, 100, 50)).max() < 5


def test_heic_through_a_reader_that_stands_in_for_pi_heif(monkeypatch):
    """open_heif gives a photo whose size is known before it is decoded."""
    opened = []

    class Photo:
        size = (3, 2)

        def to_pillow(self):
            return Image.new("RGB", (3, 2), (7, 8, 9))

    module = SimpleNamespace(open_heif=lambda file: opened.append(file) or Photo())
    monkeypatch.setattr(decoding, "pi_heif", lambda: module)
    assert seen(HEIC).tolist() == [[[7, 8, 9]] * 3] * 2 and opened[0].getvalue() == HEIC
    Photo.size = (30_000, 30_000)
    with pytest.raises(ValueError, match="30000 x 30000 pixels"):
        seen(HEIC)
