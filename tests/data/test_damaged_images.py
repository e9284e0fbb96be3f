"""Pictures that are turned, cut, bent, or none."""

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import opencv_bytes, pillow_bytes, seen

# pytest lets through the warnings that the scripts turn off
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


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
