"""The image reader: what a person sees, or an error that names the file."""

import base64
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from pyimagesearch.data import decoding
from pyimagesearch.data.deep import MAX_BYTES
from pyimagesearch.data.images import (
    decode,
    fit,
    list_images,
    read_bytes,
    read_image,
    read_images,
)
from pyimagesearch.system.names import printable

ROOT = Path(__file__).parents[2]

# pytest lets through the warnings that the reader turns off
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def photo():
    """A colour gradient, 40 rows by 30 columns, smooth so that JPEG keeps it. BGR."""
    y, x = np.mgrid[0:40, 0:30]
    return np.stack([x * 8, y * 6, 255 - x * 4], axis=-1).astype(np.uint8)


def opencv_bytes(image, ending):
    return cv2.imencode(ending, image)[1].tobytes()


def pillow_bytes(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(
        file, kind, **options
    )
    return file.getvalue()


def seen(data):
    return decode(bytes(data), "name")


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


def test_a_wrong_ending_is_simply_read(tmp_path, photo):
    (tmp_path / "photo.png").write_bytes(opencv_bytes(photo, ".jpg"))
    assert read_image(tmp_path / "photo.png", (40, 30, 3)).shape == (40, 30, 3)


def test_grey_and_resize(tmp_path, photo):
    path = str(tmp_path / "photo.png")
    cv2.imwrite(path, photo)
    assert read_image(path, (28, 28, 1)).shape == (28, 28, 1)
    small = read_image(path, (20, 15, 3))
    # each pixel is the mean of four
    expected = photo.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - expected).max() <= 1


def test_fit_between_grey_and_colour():
    red = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    assert fit(red, (2, 2, 1)).ravel().tolist() == [76] * 4  # 0.299 * 255
    grey = np.full((4, 4, 1), 7, np.uint8)
    assert fit(grey, (8, 8, 3)).ravel().tolist() == [7] * 192


@pytest.mark.parametrize("height, width", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images(height, width):
    image = seen(opencv_bytes(np.full((height, width), 9, np.uint8), ".png"))
    assert image.shape == (height, width, 1)
    assert (fit(image, (28, 28, 3)) == 9).all()


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
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),  # a quarter clockwise
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(photo, kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    expected = UPRIGHT[orientation](photo)
    image = seen(pillow_bytes(photo, kind, exif=exif))
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_with_more_than_eight_bits(orientation):
    values = np.arange(6, dtype=np.uint8).reshape(2, 3) * 51
    deep = values * np.uint16(257)
    exif = Image.Exif()
    exif[274] = orientation
    png = pillow_bytes(np.zeros((1, 1), np.uint8), "PNG", exif=exif)
    start = png.index(b"eXIf") - 4
    chunk = png[start : start + 12 + int.from_bytes(png[start : start + 4])]
    png = opencv_bytes(deep, ".png")
    for data in (
        png[:33] + chunk + png[33:],  # behind the mark of 8 and the header of 25 bytes
        pillow_bytes(deep, "TIFF", tiffinfo={274: orientation}),
        pillow_bytes(np.float32(values / 255), "TIFF", tiffinfo={274: orientation}),
    ):
        assert np.array_equal(seen(data)[:, :, 0], UPRIGHT[orientation](values))


def test_a_damaged_exif_block_is_ignored(photo):
    data = pillow_bytes(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert seen(data).shape == (40, 30, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_of_several_pictures(kind):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    image = seen(pillow_bytes(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert image.shape == (4, 6, 3)
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 3


CUT = {
    "jpg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "webp": ("WEBP", {}),
    "lossless": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
    "lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", {}),
    "avif": ("AVIF", {}),
    "jp2": ("JPEG2000", {}),
    "j2k": ("JPEG2000", {"no_jp2": True}),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_is_refused_or_lacks_no_pixel(photo, name, capfd):
    (kind, options) = CUT[name]
    data = pillow_bytes(photo, kind, **options)
    whole = seen(data)
    for length in range(0, len(data), 7):
        try:
            assert np.array_equal(seen(data[:length]), whole)
        except ValueError as error:
            assert str(error).startswith("name: cannot be read (")
        else:
            assert len(data) - length < 8  # padding, or a mark of the end
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_a_cut_file_of_sixteen_bits(photo, ending, capfd):
    data = opencv_bytes(photo.astype(np.uint16) * 257, ending)
    for length in range(0, len(data) - 150, 17):
        with pytest.raises(ValueError, match=r"^name: cannot be read"):
            seen(data[:length])
    assert capfd.readouterr().err == ""


def test_every_flipped_bit_of_a_png_is_noticed():
    data = opencv_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4), ".png")
    for position in range(8, len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 4
        with pytest.raises(ValueError, match="cannot be read"):
            seen(bytes(damaged))


def test_what_follows_a_jpeg_does_no_harm(photo):
    # phones append a film, in which the mark of a scan may stand
    data = opencv_bytes(photo, ".jpg")
    assert np.array_equal(seen(data + b"\xff\xda" * 9), seen(data))


def test_no_image():
    for data in (b"", b"these are words\n" * 100, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"P5"):
        with pytest.raises(ValueError, match=r"^name: cannot be read \(.+\)$"):
            seen(data)
    for data in (b"P5 0 4 255\n", b"P5 4 4 0\n" + bytes(16), b"P2 2 1 9 1", b"P3 1 1 9 1 2 x"):
        with pytest.raises(ValueError, match=r"^name: cannot be read"):
            seen(data)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "nowhere.png").symlink_to("missing")
    with open(tmp_path / "large.png", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    reasons = {
        "pipe.png": "not a file",
        "folder.png": "not a file",
        "loop.png": "cannot be opened",
        "nowhere.png": "cannot be opened",
        "missing.png": "cannot be opened",
        "large.png": "more than 220,000,000",
        "zero\0byte.png": "null",
    }
    for name, reason in reasons.items():
        with pytest.raises(ValueError, match=reason) as error:
            read_bytes(os.path.join(tmp_path, name))
        assert printable(name) in str(error.value) and "\n" not in str(error.value)


def test_a_file_without_permission(tmp_path):
    path = tmp_path / "secret.png"
    path.touch(mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(ValueError, match=r"secret\.png: cannot be opened \(Permission denied\)"):
        read_bytes(path)


def test_unreadable_files_are_named_and_the_rest_is_read(tmp_path, photo):
    png = opencv_bytes(photo, ".png")
    jpg = opencv_bytes(photo, ".jpg")
    bad = {
        "cut.png": png[: len(png) // 2],
        "cut.jpg": jpg[: len(jpg) // 2],
        "empty.png": b"",
        "text.png": b"these are words\n" * 100,
        "huge.png": png[:16] + (30000).to_bytes(4) * 2 + png[24:],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "good.png").write_bytes(png)
    paths, found, messages = read_images(
        [*list_images(tmp_path), tmp_path / "missing.png"], (28, 28, 1)
    )
    assert [os.path.basename(p) for p in paths] == ["good.png"] and found.shape == (1, 28, 28, 1)
    assert len(messages) == len(bad) + 1
    for name in [*bad, "missing.png"]:
        assert sum(name in message for message in messages) == 1


def test_a_name_that_is_no_unicode(tmp_path, photo):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9\n.png")
    try:
        with open(path, "wb") as f:
            f.write(opencv_bytes(photo, ".png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    (name,) = list_images(tmp_path)
    assert read_image(name, (28, 28, 1)).shape == (28, 28, 1)
    assert printable(os.path.basename(name)) == "caf\\udce9?.png"


@pytest.mark.parametrize("name", ["a b.png", "日本語 🦉.PNG", "a\nb.png", "'\"`$.png", "-.png"])
def test_names(tmp_path, photo, name):
    (tmp_path / name).write_bytes(opencv_bytes(photo, ".png"))
    assert read_images(list_images(tmp_path), (8, 8, 3))[1].shape == (1, 8, 8, 3)
    (tmp_path / name).write_bytes(b"")
    (message,) = read_images(list_images(tmp_path), (8, 8, 3))[2]
    assert printable(name) in message and "\n" not in message


def test_printable_is_one_line():
    assert printable("a\r\x85\u2028\u202eb.png") == "a????b.png"
    assert printable("日本語 🦉.png") == "日本語 🦉.png"


def test_list_images_is_sorted_nested_and_of_any_case(tmp_path, said):
    for name in ["b.PNG", "a.jpeg", "c/x.Gif", "c/note.txt", "Z.webp"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "again").symlink_to(tmp_path)  # a loop
    for name in [".hidden.png", "._b.PNG", ".cache/a.png", "__MACOSX/b.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [os.path.relpath(p, tmp_path) for p in list_images(tmp_path)]
    assert found == sorted(["b.PNG", "a.jpeg", os.path.join("c", "x.Gif"), "Z.webp"])
    assert "skipped 1 files, .txt: not of an image" in said()
    assert "left out 1 linked folders" in said() and "hidden" not in said()


def test_list_images_of_a_hidden_folder_asked_for_by_name(tmp_path, monkeypatch):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").touch()
    assert len(list_images(tmp_path / ".cache")) == 1
    monkeypatch.chdir(tmp_path / ".cache")
    assert list_images(".") == [os.path.join(".", "a.png")]
    with pytest.raises(ValueError, match="with none"):
        list_images(tmp_path)


def test_endings_of_the_formats(tmp_path, photo):
    names = ["a.JFIF", "a.jpe", "a.dib", "a.pbm", "a.avif", "a.jp2", "a.j2k", "a.pnm"]
    for name in [*names, "a.txt", "a.psd"]:
        (tmp_path / name).write_bytes(opencv_bytes(photo, ".png"))
    found = {os.path.basename(path) for path in list_images(tmp_path)}
    assert found == set(names)


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM"]
)
def test_a_file_without_an_ending_is_taken_by_its_first_bytes(tmp_path, photo, kind):
    (tmp_path / "photo").write_bytes(pillow_bytes(photo, kind))
    (tmp_path / "README").write_text("BMW, II and P1: words\n")
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    assert [os.path.basename(p) for p in list_images(tmp_path)] == ["photo"]
    assert read_image(tmp_path / "photo", (40, 30, 3)).shape == (40, 30, 3)


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


def test_importing_the_readers_changes_nothing_around_them():
    code = """
import logging, os, sys, threading, warnings
before = (dict(os.environ), logging.getLogger("PIL").level)
import numpy, PIL.Image
filters = list(warnings.filters)
import pyimagesearch.data.folders, pyimagesearch.data.images
assert before == (dict(os.environ), logging.getLogger("PIL").level), "environment or logging"
assert warnings.filters == filters, "warnings"
assert threading.active_count() == 1 and "cv2" not in sys.modules and "pi_heif" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
