"""Every format and way of storing pixels, as a person sees them; what is cut or bent is refused."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from benchmarks.fuzz_images import HEIC as HEIC_PHOTO
from pyimagesearch.data import images
from pyimagesearch.data.images import list_images, read_image
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


@pytest.mark.parametrize("ending", [".png", ".tiff", ".pgm", ".ppm"])
def test_sixteen_bits(ending):
    values = np.array([[0, 257, 0x7FFF, 0x8000, 40_000, 0xFFFF]], np.uint16)
    upper = [0, 1, 127, 128, 156, 255]
    if ending != ".ppm":
        assert seen(opencv_bytes(values, ending)).ravel().tolist() == upper
    if ending != ".pgm":
        bgr = seen(opencv_bytes(values.reshape(1, 2, 3), ending))
        assert bgr[:, :, ::-1].ravel().tolist() == upper


def png(colours, row, *chunks):
    """One row of two pixels with 16 bits a channel, in a PNG written by hand."""
    packed = zlib.compress(b"\0" + struct.pack(f">{len(row)}H", *row))
    header = struct.pack(">IIBBBBB", 2, 1, 16, colours, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in [(b"IHDR", header), *chunks, (b"IDAT", packed), (b"IEND", b"")]:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        data += struct.pack(">I", len(content)) + kind + content + checksum
    return data


@pytest.mark.parametrize(
    "colours, row, key, expected",
    [
        (6, [40_000, 257, 0, 0xFFFF, 40_000, 257, 0, 0], None, [[156, 1, 0], [255, 255, 255]]),
        (4, [40_000, 0xFFFF, 40_000, 0], None, [[156] * 3, [255] * 3]),  # grey, and its alpha
        (0, [500, 40_000], [500], [[255], [156]]),  # one colour is transparent
        (2, [500, 501, 502, 500, 501, 40_000], [500, 501, 502], [[255] * 3, [1, 1, 156]]),
    ],
)
def test_transparency_of_sixteen_bits_is_white(colours, row, key, expected):
    chunks = [(b"tRNS", struct.pack(f">{len(key)}H", *key))] if key else []
    assert seen(png(colours, row, *chunks))[0].tolist() == expected


def tiff(pixels, bits, photometric):
    """One row of grey in a TIFF of nine tags: 8 + 2 + 9 * 12 + 4 = 122 bytes before the pixels."""
    width = len(pixels) * 8 // bits
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: photometric}
    tags |= {273: 122, 277: 1, 278: 1, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def test_tiff_that_pillow_would_read_wrongly_is_refused():
    assert seen(tiff(bytes([0, 200]), 8, 0)).ravel().tolist() == [255, 55]  # zero is white
    for data in (
        tiff(struct.pack("<HH", 0, 40_000), 16, 0),
        tiff(bytes.fromhex("000fff800800"), 12, 1),
        opencv_bytes(np.array([[0, 0.25, 1]], np.float32), ".tiff"),
        opencv_bytes(np.array([[[0, 0.25, 1]]], np.float64), ".tiff"),
    ):
        with pytest.raises(ValueError, match=r"name: cannot be read \(a TIFF of .*: save it as"):
            seen(data)


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"P2 3 1 100 0 50 100", [0, 128, 255]),  # 50 / 100 * 255 = 127.5
        (b"P2\n# made by hand\n3 1\n1000\n0 # black\n 500\n1000\n", [0, 128, 255]),
        (b"P3\n1 1\n255\n1\n2\n3", [1, 2, 3]),
        (b"P5 3 1 100\n\x00\x32\x64", [0, 128, 255]),
        (b"P6 1 1 65535\n\x00\x00\x01\x01\xff\xff", [0, 1, 255]),
        (b"P1\n# by hand\n3 1\n01 # no space\n0", [255, 0, 255]),  # one is black
        (b"P4\n9 1\n\x40\x80", [255, 0] + [255] * 6 + [0]),  # a row is whole bytes
    ],
)
def test_portable_maps(text, expected):
    assert seen(text).ravel().tolist() == expected


def transparent_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_palette(kind):
    image = transparent_palette()
    assert seen(pillow_bytes(image, kind)).tolist() == [[[10, 20, 30], [40, 50, 60]]]
    if kind in ("PNG", "GIF"):
        shown = seen(pillow_bytes(image, kind, transparency=1))
        assert shown.tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG2000"])
def test_transparency_over_white(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    rgba = np.array([[[100, 0, 200, 255], [100, 0, 200, 51]]], np.uint8)
    # 51 / 255 = 0.2: 0.2 * 100 + 0.8 * 255 = 224, 0.8 * 255 = 204, 0.2 * 200 + 204 = 244
    image = seen(pillow_bytes(rgba, kind, **options))
    assert image.tolist() == [[[100, 0, 200], [224, 204, 244]]]


def test_transparency_of_grey():
    grey = Image.fromarray(np.array([[100, 50]], np.uint8))
    assert seen(pillow_bytes(grey, "PNG", transparency=50)).tolist() == [[[100], [255]]]
    grey.putalpha(51)
    assert seen(pillow_bytes(grey, "PNG")).tolist() == [[[224], [214]]]  # 0.2 * 50 + 204 = 214


def test_a_white_drawing_on_transparency_is_laid_over_black():
    for mode, white in (("LA", (255, 0)), ("RGBA", (255, 255, 255, 0))):
        image = Image.new(mode, (2, 1), white)
        image.putpixel((0, 0), (*white[:-1], 255))
        assert seen(pillow_bytes(image, "PNG"))[..., 0].tolist() == [[255, 0]]


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


def test_every_flipped_bit_of_a_png_is_noticed():
    data = opencv_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4), ".png")
    for position in range(8, len(data) - 12):  # behind it is the mark of the end
        damaged = bytearray(data)
        damaged[position] ^= 4
        with pytest.raises(ValueError, match="cannot be read"):
            seen(bytes(damaged))


def test_what_follows_a_jpeg_does_no_harm(photo):
    # phones append a film, in which the mark of a scan may stand
    data = opencv_bytes(photo, ".jpg")
    assert np.array_equal(seen(data + b"\xff\xda" * 9), seen(data))


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)


def test_heic_is_named_where_its_reader_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "formats", lambda: ("PNG", "AVIF"))
    with pytest.raises(ValueError, match=r"name: .*pip install pi-heif"):
        seen(HEIC)  # whatever its ending
    (tmp_path / "photo.HEIC").write_bytes(HEIC)
    with pytest.raises(ValueError, match="with none"):
        list_images(tmp_path)


def test_heic_is_read_where_its_reader_is_installed(tmp_path):
    pytest.importorskip("pi_heif")
    (tmp_path / "photo.HEIC").write_bytes(base64.b64decode(HEIC_PHOTO))
    (path,) = list_images(tmp_path)
    assert np.abs(read_image(path, (8, 8, 3)).astype(int) - (200, 100, 50)).max() < 5
