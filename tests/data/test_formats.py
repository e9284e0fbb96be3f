"""Every format and way of storing pixels, as a person sees them; what is cut or bent is refused."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_images import HEIC as HEIC_PHOTO
from pyimagesearch.data import images
from pyimagesearch.data.images import WholeShape, fit, read_image, read_images
from pyimagesearch.data.listing import list_images
from pyimagesearch.system.errors import printable
from tests.data.pictures import opencv_bytes, pillow_bytes, seen

ROOT = Path(__file__).parents[2]
# pytest lets through the warnings that the scripts turn off
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tiff", "webp", "jpg", "JPG", "gif"])
def test_colour_of_every_format(tmp_path, photo, ending):
    path = tmp_path / f"photo {ending} äöü.{ending}"
    path.write_bytes(opencv_bytes(photo, f".{ending.lower()}"))
    image = read_image(path, (40, 30, 3))
    lost = 20 if ending == "gif" else 6  # of 256: a palette of few colours, or compression
    assert np.abs(image[:, :, ::-1].astype(int) - photo).mean() < lost  # RGB
    if ending not in ("gif", "ppm", "webp"):
        grey = seen(opencv_bytes(photo[:, :, 1], f".{ending.lower()}"))
        assert grey.shape == (40, 30, 1)
        assert np.abs(grey[:, :, 0].astype(int) - photo[:, :, 1]).max() <= 3


def png(colours, row, *more):
    """One row of two pixels with 16 bits a channel, in a PNG; more: (name, content) of chunks."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, colours, 0, 0, 0)), *more]
    parts += [(b"IDAT", zlib.compress(b"\0" + struct.pack(f">{len(row)}H", *row))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(x)) + k + x + zlib.crc32(k + x).to_bytes(4) for k, x in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def tiff(pixels, bits, photometric):
    """One row of grey in a TIFF of nine tags: 8 + 2 + 9 * 12 + 4 = 122 bytes before the pixels."""
    width = len(pixels) * 8 // bits
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric}
    tags |= {273: 122, 277: 1, 278: 1, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def shown():
    """Files of two pixels or so, and what is to be seen: (name, bytes, values row by row)."""
    deep = np.array([[0, 257, 0x7FFF, 0x8000, 40_000, 0xFFFF]], np.uint16)
    upper = [0, 1, 127, 128, 156, 255]  # bytes
    for ending in (".png", ".tiff", ".pgm"):
        yield f"16 bits of grey{ending}", opencv_bytes(deep, ending), upper
        yield f"12 bits in 16{ending}", opencv_bytes(deep >> 4, ending), upper
    for ending in (".png", ".tiff", ".ppm"):
        data = opencv_bytes(deep.reshape(1, 2, 3)[:, :, ::-1], ending)
        yield f"16 bits of colour{ending}", data, upper
    pair = [40_000, 257, 0, 0xFFFF, 40_000, 257, 0, 0]  # opaque, transparent: white
    yield "16 bits of RGBA", png(6, pair), [156, 1, 0] + [255] * 3
    yield "16 bits of LA", png(4, [40_000, 0xFFFF, 40_000, 0]), [156] * 3 + [255] * 3
    yield "TIFF where zero is white", tiff(bytes([0, 200]), 8, 0), [255, 55]
    yield "P2", b"P2 3 1 100 0 50 100", [0, 128, 255]  # 50 / 100 * 255 = 127.5
    yield "P2 of 1000", b"P2\n# by hand\n3 1\n1000\n0 # black\n 500\n1000\n", [0, 128, 255]
    yield "P3", b"P3\n1 1\n255\n1\n2\n3", [1, 2, 3]
    yield "P5", b"P5 3 1 100\n\x00\x32\x64", [0, 128, 255]
    yield "P6", b"P6 1 1 65535\n\x00\x00\x01\x01\xff\xff", [0, 1, 255]
    yield "P1", b"P1\n# by hand\n3 1\n01 # no space\n0", [255, 0, 255]  # one is black
    yield "P4", b"P4\n9 1\n\x40\x80", [255, 0] + [255] * 6 + [0]  # a row is whole bytes
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        yield f"palette {kind}", pillow_bytes(palette, kind), [10, 20, 30, 40, 50, 60]
    for kind in ("PNG", "GIF"):
        data = pillow_bytes(palette, kind, transparency=1)
        yield f"transparent palette {kind}", data, [10, 20, 30] + [255] * 3
    # 51 / 255 = 0.2: 0.2 * 100 + 0.8 * 255 = 224, 0.8 * 255 = 204, 0.2 * 200 + 204 = 244
    rgba = np.array([[[100, 0, 200, 255], [100, 0, 200, 51]]], np.uint8)
    for kind, options in {
        "PNG": {},
        "TIFF": {},
        "WEBP": {"lossless": True},
        "JPEG2000": {},
    }.items():
        yield f"RGBA {kind}", pillow_bytes(rgba, kind, **options), [100, 0, 200, 224, 204, 244]
    grey = Image.fromarray(np.array([[100, 50]], np.uint8))
    yield "grey, one transparent", pillow_bytes(grey, "PNG", transparency=50), [100, 255]
    grey.putalpha(51)
    yield "LA", pillow_bytes(grey, "PNG"), [224, 214]  # 0.2 * 50 + 204 = 214
    white = np.full((1, 2, 4), 255, np.uint8)
    white[0, 1, 3] = 0
    yield (
        "white on transparency is laid over black",
        pillow_bytes(white, "PNG"),
        [255] * 3 + [0] * 3,
    )
    bits = Image.fromarray(np.array([[0, 1, 1], [1, 0, 1]], bool))
    for kind in ("PNG", "TIFF", "BMP", "GIF"):
        yield f"one bit {kind}", pillow_bytes(bits, kind), [0, 255, 255, 255, 0, 255]


SHOWN = {name: (data, values) for name, data, values in shown()}


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_person_sees(name):
    (data, values) = SHOWN[name]
    assert seen(data).ravel().tolist() == values


@pytest.mark.parametrize(
    "data",
    [
        tiff(struct.pack("<HH", 0, 40_000), 16, 0),  # zero is white
        tiff(bytes.fromhex("000fff800800"), 12, 1),
        opencv_bytes(np.array([[0, 0.25, 1]], np.float32), ".tiff"),
        opencv_bytes(np.array([[[0, 0.25, 1]]], np.float64), ".tiff"),
        png(0, [500, 40_000], (b"tRNS", struct.pack(">H", 500))),  # one colour is transparent
    ],
)
def test_what_pillow_would_read_wrongly_is_refused(data):
    with pytest.raises(ValueError, match=r"name: cannot be read \(.*: save it"):
        seen(data)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_as_pillow_shows_it(photo, kind):
    data = pillow_bytes(Image.fromarray(photo[:, :, ::-1]).convert("CMYK"), kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(seen(data), expected)
    assert np.abs(expected.astype(int) - photo[:, :, ::-1]).mean() < 6


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
    pictures = [(photo, photo)]
    if kind in ("PNG", "TIFF"):  # 16 bits of grey
        pictures.append((photo[..., 0] * np.uint16(257), photo[..., :1]))
    for picture, shown in pictures:
        expected = UPRIGHT[orientation](shown)
        image = seen(pillow_bytes(picture, kind, exif=exif))
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).mean() < 6


def test_a_damaged_exif_block_is_ignored(photo):
    data = pillow_bytes(photo, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert seen(data).shape == (40, 30, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_of_several_pictures(kind):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    image = seen(pillow_bytes(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert image.shape == (4, 6, 3)
    assert np.abs(image.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000"]
)
@pytest.mark.parametrize("other", [False, True])
def test_a_cut_file_is_refused_or_lacks_no_pixel(photo, kind, other, capfd):
    # each kind takes the options that it knows
    options = {"progressive": True, "lossless": True, "compression": "tiff_lzw", "no_jp2": True}
    data = pillow_bytes(photo, kind, **options if other else {})
    whole = seen(data)
    for length in range(0, len(data), 7):
        try:
            assert np.array_equal(seen(data[:length]), whole)
        except ValueError as error:
            assert str(error).startswith("name: cannot be read (")
        else:
            assert len(data) - length < 8  # padding, or a mark of the end
    assert capfd.readouterr().err == ""


def test_heic_is_named_where_its_reader_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "formats", lambda: ("PNG", "AVIF"))
    with pytest.raises(ValueError, match=r"name: .*pip install pi-heif"):
        seen(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))  # whatever its ending
    (tmp_path / "photo.HEIC").touch()
    with pytest.raises(ValueError, match="with none"):
        list_images(tmp_path)


def test_heic_is_read_where_its_reader_is_installed(tmp_path):
    pytest.importorskip("pi_heif")
    (tmp_path / "photo.HEIC").write_bytes(base64.b64decode(HEIC_PHOTO))
    (path,) = list_images(tmp_path)
    assert np.abs(read_image(path, (8, 8, 3)).astype(int) - (200, 100, 50)).max() < 5


def test_grey_and_resize(tmp_path, photo):
    path = str(tmp_path / "photo.png")
    cv2.imwrite(path, photo)
    assert read_image(path, (28, 28, 1)).shape == (28, 28, 1)
    small = read_image(path, (20, 15, 3))
    # each pixel is the mean of four
    expected = photo.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - expected).max() <= 1


@pytest.mark.parametrize("height, width", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_images(height, width):
    image = seen(opencv_bytes(np.full((height, width), 9, np.uint8), ".png"))
    assert image.shape == (height, width, 1)
    for shape in ((28, 28, 3), WholeShape((28, 28, 3))):
        assert fit(image, shape).shape == (28, 28, 3) and (fit(image, shape) == 9).all()


def test_a_whole_shape_keeps_the_ratio_and_repeats_the_edges():
    """4 wide, 2 high, into 4x4: as it is in the middle, its first and last row once more."""
    image = np.arange(8, dtype=np.uint8).reshape(2, 4, 1)
    whole = fit(image, WholeShape((4, 4, 1)))[:, :, 0]
    np.testing.assert_array_equal(whole, image[[0, 0, 1, 1], :, 0])
    # 2 wide, 6 high, into 3x3: one wide and three high, in the middle
    column = np.repeat(np.arange(0, 60, 10, dtype=np.uint8), 2).reshape(6, 2, 1)
    whole = fit(column, WholeShape((3, 3, 3)))
    np.testing.assert_array_equal(whole, np.broadcast_to([[[5]], [[25]], [[45]]], (3, 3, 3)))


@pytest.mark.parametrize(
    "name", ["a b.png", "日本語 🦉.PNG", "a\nb.png", "'\"`$.png", "-.png", os.fsdecode(b"\xe9.png")]
)
def test_names(tmp_path, photo, name):
    (tmp_path / name).write_bytes(opencv_bytes(photo, ".jpg"))  # the ending does not matter
    assert read_images(list_images(tmp_path), (8, 8, 3))[1].shape == (1, 8, 8, 3)
    (tmp_path / name).write_bytes(b"")
    (message,) = read_images(list_images(tmp_path), (8, 8, 3))[2]
    assert printable(name) in message and "\n" not in message


def test_endings_of_the_formats(tmp_path):
    names = ["a.JFIF", "a.jpe", "a.dib", "a.pbm", "a.avif", "a.jp2", "a.j2k", "a.pnm"]
    for name in [*names, "a.txt", "a.psd"]:
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    assert {os.path.basename(path) for path in list_images(tmp_path)} == set(names)
