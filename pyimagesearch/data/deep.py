"""What Pillow would not decode whole or quickly: 16 bits, floats, portable maps; and the limits."""

import io
import re
import struct
import zlib
from types import ModuleType

import numpy as np
from PIL import Image

# so that no file takes much over a second, or a gigabyte
MAX_PIXELS = 55_000_000  # room for what cameras call 50 megapixels: 8256 x 6192
MAX_BYTES = 4 * MAX_PIXELS  # of the file, and of its pixels


def opencv() -> ModuleType:
    """The module cv2. Raises OSError with the way out where it cannot be imported."""
    try:
        import cv2
    except ImportError as error:
        raise OSError(
            f"OpenCV cannot be imported ({error}). On a machine without a screen, "
            "pip uninstall opencv-python and pip install opencv-python-headless: "
            "the same library without windows."
        ) from None
    return cv2


def check_size(width: int, height: int, depth: int = 4, limit: int | None = None) -> None:
    """Raises ValueError for too many pixels, before memory is reserved.

    depth: bytes a pixel. limit: of the pixels, if it is not a matter of their depth.
    """
    if width < 1 or height < 1:
        raise ValueError(f"{width} x {height} pixels")
    limit = limit or MAX_BYTES // max(depth, 4)
    if width * height > limit:
        raise ValueError(f"{width} x {height} pixels, more than {limit:,}")


def deep_png(data: bytes) -> np.ndarray:
    """16 bits a channel -> uint8 (H, W, C). Of colours, Pillow unpacks one half at a time."""
    colours = data[25]
    (width, height) = struct.unpack(">II", data[16:24])
    check_size(width, height, depth=2 if colours == 0 else 8)

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


def deep_tiff(data: bytes) -> np.ndarray:
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


def netpbm(data: bytes) -> np.ndarray:
    """PBM, PGM or PPM, as bytes or as text, of any largest value -> uint8 (H, W, 1 or 3).

    Pillow would loop over the pixels.
    """
    kind = data[1] - ord("0")
    token = rb"(?:\s|#[^\n]*\n)+(\d{1,9})"
    header = re.match(rb"P\d" + (2 if kind in (1, 4) else 3) * token + rb"\s", data[:4096])
    if not header:
        raise ValueError("damaged header")
    (width, height, *rest) = map(int, header.groups())
    check_size(width, height)
    if kind in (1, 2, 3) and len(data) > MAX_BYTES // 2:
        raise ValueError(f"more than {MAX_BYTES // 2:,} bytes of text")
    content = data[header.end() :]
    if kind in (1, 2, 3):
        content = re.sub(rb"#[^\n]*", b"", content)
    if kind in (1, 4):
        return _bitmap(content, width, height, as_text=kind == 1)
    (largest,) = rest
    if not 0 < largest < 2**16:
        raise ValueError(f"a largest value of {largest}")
    shape = (height, width, 3 if kind in (3, 6) else 1)
    if kind in (2, 3):
        values = np.fromstring(content, dtype=np.int32, sep=" ")
    else:
        dtype = np.dtype(np.uint8 if largest < 256 else ">u2")
        values = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
    values = values[: np.prod(shape)]
    if len(values) < np.prod(shape) or values.min() < 0:
        raise ValueError("cut off or damaged")
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return scaled(values.reshape(shape), 255 / largest)


def _bitmap(content, width, height, as_text):
    # one bit a pixel, 1 is black; as text its digits may stand without spaces
    if as_text:
        bits = np.frombuffer(content.translate(None, b" \t\r\n\v\f"), np.uint8) - ord("0")
        bits = bits[: width * height]
        if len(bits) < width * height or bits.max() > 1:
            raise ValueError("cut off or damaged")
    else:
        row = -(-width // 8)  # bytes
        packed = np.frombuffer(content, np.uint8)[: row * height]
        if len(packed) < row * height:
            raise ValueError("cut off")
        bits = np.unpackbits(packed.reshape(height, row), axis=1, count=width)
    return ((1 - bits) * 255).reshape(height, width, 1)


def scaled(values: np.ndarray, factor: float) -> np.ndarray:
    """Any numbers -> uint8, rounded."""
    return opencv().convertScaleAbs(values, alpha=factor).reshape(values.shape)


def plain_png(data: bytes) -> tuple[bytes, bytes]:
    """A PNG without texts and profiles, which can be bombs, and its EXIF block, both bytes.

    Raises ValueError at a wrong checksum.
    """
    kept: list[bytes | memoryview] = [data[:8]]
    (view, exif, kind, at) = (memoryview(data), b"", b"", 8)
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


def bands(height: int, width: int) -> list[slice]:
    """Slices of about a million pixels: a large picture in whole would take twice the memory."""
    step = max(2**20 // width, 1)
    return [slice(top, min(top + step, height)) for top in range(0, height, step)]
