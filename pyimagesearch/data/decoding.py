"""The bytes of an image file -> its pixels, whatever the format: images.decode calls it.

Pillow decodes, since it refuses what is cut off, where OpenCV fills the rest with grey in silence.
Where it would keep eight bits of a channel that has more, or be slow, there is a function below.
"""

# import the necessary packages
import ctypes
import io
import logging
import os
import re
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
from PIL import Image, TiffImagePlugin

# so that no file takes much over a second, or a gigabyte
MAX_PIXELS = 50_000_000
MAX_BYTES = 4 * MAX_PIXELS  # of the file, and of its pixels

JPEG_SCAN = rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"  # 1 to 4 channels
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's names; PGM is in PPM

# what is wrong with a file is said in one line, by name: no library adds lines of its own
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
warnings.filterwarnings("ignore", module="PIL")
logging.getLogger("PIL").setLevel(logging.CRITICAL)
with suppress(OSError, AttributeError):  # Pillow's libtiff writes to stderr past Python
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


def opencv():
    """The module cv2. Raises OSError with the way out where it cannot be imported."""
    try:
        import cv2
    except ImportError as error:
        raise OSError(
            f"OpenCV cannot be imported ({error}). On a machine without a screen, "
            "pip uninstall opencv-python and pip install opencv-python-headless: "
            "the same library without windows."
        ) from None
    cv2.utils.logging.setLogLevel(0)  # Keras may have imported it before silence was asked for
    return cv2


def pixels(data):
    """Bytes of any format -> uint8 (H, W, 1 to 4: grey or RGB, then alpha), EXIF orientation."""
    if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return netpbm(data), 1
    if data.startswith(b"\x89PNG"):
        (data, exif) = plain_png(data)
        deep = data[24] == 16  # bits a channel
        return deep_png(data) if deep else with_pillow(data)[0], orientation_in(exif)
    if data[:4] in (b"II*\0", b"MM\0*"):
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        (bits, samples, colours) = (max(tags.get(258, (1,))), tags.get(277, 1), tags.get(262))
        if bits > 8 and samples > 1 and tags.get(284) == 2:
            raise ValueError(f"separate planes of {bits} bits")
        # what else has over 8 bits, CMYK for one, is left to Pillow, which drops the lower ones
        straight = samples in (1, 3) or (samples == 4 and tags.get(338, (2,))[0] == 2)
        if bits > 8 and colours in (0, 1, 2) and straight:
            check_size(tags[256], tags[257], samples * -(-bits // 8))
            image = deep_tiff(data)  # OpenCV turns it by itself, as Pillow does
            return 255 - image if colours == 0 else image, 1
    return with_pillow(data)


def with_pillow(data):
    """All that has up to eight bits a channel -> uint8 (H, W, C), EXIF orientation."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        (width, height) = picture.size
        check_size(width, height)
        # each scan costs a pass over all pixels, and a small file can hold thousands
        if len(re.findall(JPEG_SCAN, data)) * width * height > 16 * MAX_PIXELS:
            raise ValueError("too many scans")
        # it needs a bit at least for each block of 8 x 8 pixels, or most of them would be grey
        if picture.format == "JPEG" and 512 * len(data) < width * height:
            raise ValueError("too little data for its size")
        if picture.tile and picture.tile[0][0] == "bmp_rle" and width * height > 2**22:
            raise ValueError(f"run lengths of more than {2**22:,} pixels")  # a loop in Python
        picture.load()

        (width, height) = picture.size  # a TIFF has been turned
        if picture.mode[0] in "IF":
            raise ValueError(f"pixels of type {picture.mode}")
        mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
        if picture.has_transparency_data:
            mode += "A"
        image = np.empty((height, width, len(mode)), np.uint8)
        for rows in bands(height, width):
            whole = rows == slice(0, height)
            band = picture if whole else picture.crop((0, rows.start, width, rows.stop))
            band = band if band.mode == mode else band.convert(mode)
            image[rows] = np.asarray(band).reshape(image[rows].shape)
        exif = b"" if picture.format == "TIFF" else picture.info.get("exif", b"")
        return image, orientation_in(exif)


def deep_png(data):
    """16 bits a channel -> uint8 (H, W, C). Of colours, Pillow unpacks one half at a time."""
    colours = data[25]
    check_size(*struct.unpack(">II", data[16:24]), 2 if colours == 0 else 8)

    def unpack(layout=None):
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if layout:
                picture.tile = [picture.tile[0]._replace(args=layout)]
            values = np.asarray(picture).astype(np.uint16)
            return values.reshape(*values.shape[:2], -1), picture.info.get("transparency")

    (values, key) = unpack()  # the upper half, but all of grey
    if colours in (2, 6):
        values = values << 8 | unpack("RGB;16L" if colours == 2 else "RGBA;16L")[0]
    elif colours == 4:  # for grey with transparency it has no such layout
        values = values[:, :, [0, 3]] * 257
    if key is not None:  # the one colour that is transparent
        opaque = np.any(values != key, axis=2, keepdims=True)
        values = np.concatenate([values, opaque * np.uint16(0xFFFF)], axis=2)
    return scaled(values, 1 / 257)


def deep_tiff(data):
    """16 bits or floats, which OpenCV keeps -> uint8 (H, W, C)."""
    cv2 = opencv()
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError("cut off or damaged")
    if image.dtype.kind == "f":
        if not (image.min() >= 0 and image.max() <= 1):  # NaN is neither
            raise ValueError(f"values from {image.min()} to {image.max()}, not from 0 to 1")
        image = scaled(image, 255)
    elif image.dtype == np.uint16:
        image = scaled(image, 1 / 257)
    else:
        raise ValueError(f"pixels of type {image.dtype}")
    if image.ndim == 2:
        return image[:, :, np.newaxis]
    return image[:, :, [2, 1, 0, 3][: image.shape[2]]]  # BGR


def netpbm(data):
    """PGM or PPM, as bytes or as text, of any largest value: Pillow would loop over the pixels."""
    token = rb"(?:\s|#[^\n]*\n)+(\d{1,9})"
    header = re.match(rb"P(\d)" + 3 * token + rb"\s", data[:4096])
    if not header:
        raise ValueError("damaged header")
    (kind, width, height, largest) = map(int, header.groups())
    check_size(width, height)
    if not 0 < largest < 2**16:
        raise ValueError(f"a largest value of {largest}")
    shape = (height, width, 3 if kind in (3, 6) else 1)
    content = data[header.end() :]
    if kind in (2, 3):
        if len(data) > MAX_BYTES // 2:
            raise ValueError(f"more than {MAX_BYTES // 2:,} bytes of text")
        values = np.fromstring(re.sub(rb"#[^\n]*", b"", content), dtype=np.int32, sep=" ")
    else:
        dtype = np.dtype(np.uint8 if largest < 256 else ">u2")
        values = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
    values = values[: np.prod(shape)]
    if len(values) < np.prod(shape) or values.min() < 0:
        raise ValueError("cut off or damaged")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return scaled(values.reshape(shape), 255 / largest)


def scaled(values, factor):
    """Any numbers -> uint8, rounded."""
    return opencv().convertScaleAbs(values, alpha=factor).reshape(values.shape)


def plain_png(data):
    """A PNG without texts and profiles, which can be bombs, and its EXIF block, both bytes.

    Raises ValueError at a wrong checksum.
    """
    (view, kept, exif, kind, at) = (memoryview(data), [data[:8]], b"", b"", 8)
    while kind != b"IEND":
        (length, kind) = struct.unpack_from(">I4s", data, at)
        chunk = view[at : at + 12 + length]
        if len(chunk) < 12 + length or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise ValueError(f"wrong checksum in {kind.decode('latin-1')!a}")
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(chunk)
        elif kind == b"eXIf":
            exif = bytes(chunk[8:-4])
        at += len(chunk)
    return b"".join(kept), exif


def check_size(width, height, depth=4):
    """Raises ValueError for too many pixels, before memory is reserved. depth: bytes a pixel."""
    if width < 1 or height < 1:
        raise ValueError(f"{width} x {height} pixels")
    limit = MAX_BYTES // max(depth, 4)
    if width * height > limit:
        raise ValueError(f"{width} x {height} pixels, more than {limit:,}")


def over_white(image):
    """uint8 (H, W, 2 or 4), transparency last -> (H, W, 1 or 3)."""
    result = np.empty_like(image, shape=(*image.shape[:2], image.shape[2] - 1))
    for rows in bands(*image.shape[:2]):
        picture = Image.fromarray(image[rows])
        white = Image.new(picture.mode[:-1], picture.size, "white")
        white.paste(picture.convert(white.mode), mask=picture.getchannel("A"))
        result[rows] = np.asarray(white).reshape(result[rows].shape)
    return result


def bands(height, width):
    """Slices of about a million pixels: a large picture in whole would take twice the memory."""
    step = max(2**20 // width, 1)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]


def orientation_in(exif):
    """The EXIF orientation, 1 to 8; 1, as stored, where the block is damaged."""
    tags = Image.Exif()
    with suppress(Exception):
        tags.load(exif)
        return tags.get(274, 1)
    return 1


def upright(image, orientation):
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
