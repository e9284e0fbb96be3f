"""Every format, as a person sees it; broken, hostile and large files are named on one line."""

import io
import os
import re
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from pyimagesearch.data import images
from pyimagesearch.data.cache import read_files
from pyimagesearch.data.images import MAX_BYTES, WholeShape, fit, read_image
from pyimagesearch.data.listing import find
from pyimagesearch.system.terminal import printable
from tests.data.pictures import opencv_bytes, pillow_bytes, seen
from tests.scripts import PIPES

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
    kinds = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}, "JPEG2000": {}}
    for kind, options in kinds.items():
        yield f"RGBA {kind}", pillow_bytes(rgba, kind, **options), [100, 0, 200, 224, 204, 244]
    grey = Image.fromarray(np.array([[100, 50]], np.uint8))
    yield "grey, one transparent", pillow_bytes(grey, "PNG", transparency=50), [100, 255]
    grey.putalpha(51)
    yield "LA", pillow_bytes(grey, "PNG"), [224, 214]  # 0.2 * 50 + 204 = 214
    white = np.full((1, 2, 4), 255, np.uint8)
    white[0, 1, 3] = 0
    yield "white on transparency, over black", pillow_bytes(white, "PNG"), [255] * 3 + [0] * 3
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
        opencv_bytes(np.array([[-1, 3]], np.int16), ".tiff"),
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


def profile(name="ours", *changes):
    """sRGB's colour profile under another name, with parts of it exchanged for others."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for old, new in [("sRGB".encode("utf-16-be"), name.encode("utf-16-be")), *changes]:
        assert old in data
        data = data.replace(old, new)
    return data


# what is called red is green in truth
EXCHANGED = ((b"rXYZ", b"kept"), (b"gXYZ", b"rXYZ"), (b"kept", b"gXYZ"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_colour_profile_is_followed(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    colour = Image.new("RGB", (8, 8), (200, 100, 50))
    for name, changes, shown in (
        ("ours", EXCHANGED, (100, 200, 50)),
        ("sRGB", EXCHANGED, (200, 100, 50)),  # known by its name: nothing is computed
    ):
        data = pillow_bytes(colour, kind, icc_profile=profile(name, *changes), **options)
        assert np.abs(seen(data).astype(int) - shown).max() <= 2


def test_a_colour_profile_with_transparency_and_of_grey():
    rgba = Image.new("RGBA", (2, 2), (200, 100, 50, 51))
    data = pillow_bytes(rgba, "PNG", icc_profile=profile("ours", *EXCHANGED))
    # 51 / 255 = 0.2 of (100, 200, 50), and 0.8 * 255 = 204 of white
    assert np.abs(seen(data).astype(int) - (224, 244, 214)).max() <= 1
    # grey with the curve that sRGB has, too: as it is, and still grey
    grey = profile("ours", (b"RGB XYZ ", b"GRAYXYZ "), (b"rTRC", b"kTRC"))
    for mode, shown in (("L", 100), ("LA", 224)):  # 0.2 * 100 + 204
        image = Image.new(mode, (2, 2), 100 if mode == "L" else (100, 51))
        image = seen(pillow_bytes(image, "PNG", icc_profile=grey))
        assert image.shape == (2, 2, 1) and np.abs(image.astype(int) - shown).max() <= 1


CMYK = profile("ours", (b"RGB XYZ ", b"CMYKXYZ "))
EXIF = {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff nonsense"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(
    "damaged", [EXIF, *({"icc_profile": x} for x in (b"words", bytes(600), profile()[:300], CMYK))]
)
def test_with_a_damaged_profile_or_exif_block_a_picture_is_as_it_is_stored(kind, damaged):
    for mode, colour in (("RGB", (200, 100, 50)), ("L", 100)):
        image = seen(pillow_bytes(Image.new(mode, (2, 2), colour), kind, **damaged))
        assert np.abs(image.astype(int) - colour).max() <= 2 * (kind == "JPEG")


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
            assert "/name: cannot be read (" in str(error)
        else:
            assert len(data) - length < 8  # padding, or a mark of the end
    assert capfd.readouterr().err == ""


def test_heic_is_named_where_its_reader_is_not_installed(monkeypatch):
    monkeypatch.setattr(images, "FORMATS", ["PNG", "AVIF"])
    with pytest.raises(ValueError, match=r"name: .*pip install pi-heif"):
        seen(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))  # whatever its ending


def test_grey_and_resize(tmp_path, photo):
    path = str(tmp_path / "photo.png")
    cv2.imwrite(path, photo)
    assert read_image(path, (28, 28, 1)).shape == (28, 28, 1)
    small = read_image(path, (20, 15, 3))
    # each pixel is the mean of four
    expected = photo.reshape(20, 2, 15, 2, 3).mean(axis=(1, 3))[:, :, ::-1]
    assert np.abs(small - expected).max() <= 1
    # one side shrinks, the other grows: no column is left out
    assert (fit(np.uint8([[[0], [200], [0], [0]]]), (3, 1, 1)) == 50).all()


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


def test_endings_of_the_formats(tmp_path):
    names = ["a.JFIF", "a.jpe", "a.dib", "a.pbm", "a.avif", "a.jp2", "a.j2k", "a.pnm"]
    for name in [*names, "a.txt", "a.psd"]:
        (tmp_path / name).touch()
    assert {file.name for file in find(tmp_path, 0).files} == set(names)


@pytest.mark.slow
def test_two_hundred_broken_files():
    """The short form of the benchmark, which exits with 1 for a crash, a leak, or a slow file."""
    command = [sys.executable, "benchmarks/fuzz_images.py", "--files", "200", "--seed", "1"]
    result = subprocess.run(command, **PIPES)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    figures = dict(re.findall(r"^(\w+) +([\d,]+)", result.stdout, flags=re.MULTILINE))
    assert int(figures["read"]) + int(figures["refused"]) == 200
    assert int(figures["refused"]) > 20  # so they are broken indeed


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
        "pipe.png": (None, "not a file"),
        "loop.png": (None, "cannot be opened"),
        "nowhere.png": (None, "cannot be opened"),
        "large.png": (b"", "more than 220,000,000"),
    }
    for name, (data, _) in reasons.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "nowhere.png").symlink_to("missing")
    os.truncate(tmp_path / "large.png", MAX_BYTES + 1)
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        (tmp_path / f"good {kind}.png").write_bytes(pillow_bytes(photo, kind))
    files = [str(tmp_path / file.name) for file in find(tmp_path, 0).files]
    found = read_files("pixels", files, (28, 28, 3))
    messages = [*found.messages.values()]
    assert len(found.good) == len(found.values) == 6
    assert all(os.path.basename(files[k]).startswith("good") for k in found.good)
    assert len(messages) == len(reasons) and all(m.isprintable() for m in messages)  # one line
    for name, (_, reason) in reasons.items():
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
    with pytest.raises(ValueError, match="more than 1,048,576 in this format"):
        seen(b"P2 2000 2000 255\n")
    with pytest.raises(ValueError, match="too many comments"):
        seen(b"P2 9 9 255\n" + b"#\n" * 2000)


@pytest.mark.slow
def test_a_reduced_photo_looks_the_same(tmp_path):
    y, x = np.mgrid[0:1200, 0:1600]
    photo = np.stack([x * 255 // 1600, y * 255 // 1200, (x + y) * 255 // 2800], axis=-1)
    data = pillow_bytes(photo.astype(np.uint8), "JPEG")
    # twice the side that is wanted, or more: 1200 / 8 = 150
    assert seen(data, 64).shape == (150, 200, 3)
    assert seen(data).shape == (1200, 1600, 3)
    (tmp_path / "photo").write_bytes(data)
    small = read_image(tmp_path / "photo", (60, 80, 3))  # of 20 x 20 pixels each
    assert np.abs(small - photo.reshape(60, 20, 80, 20, 3).mean(axis=(1, 3))).max() < 4
