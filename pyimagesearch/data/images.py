"""An image file comes in; its pixels as a person sees them go out, or an error that names it.

Pillow decodes, since it refuses files that are cut off, where OpenCV fills the rest with grey and
says nothing. OpenCV resizes, since its INTER_AREA is a true mean where no side grows.
"""

import errno
import io
import os
import re
import stat
from contextlib import suppress
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from pyimagesearch.system.terminal import InputError, printable

with suppress(ImportError):  # an extra, for HEIF
    import pi_heif

    pi_heif.register_heif_opener()
Image.init()
# Pillow's names of what is read, where this Pillow can; and the endings of such files, lower case
FORMATS = ["PNG", "JPEG", "BMP", "DIB", "GIF", "PPM", "TIFF"]
FORMATS += [name for name in ("WEBP", "AVIF", "JPEG2000", "HEIF") if name in Image.OPEN]
ENDINGS = tuple(end for end, name in Image.registered_extensions().items() if name in FORMATS)
JPEG_SCAN = rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"  # of 1 to 4 channels
# so that no file takes much over a second or a gigabyte
MAX_PIXELS = 55_000_000  # room for what cameras call 50 megapixels: 8256 x 6192
MAX_BYTES = 4 * MAX_PIXELS  # of a file
MOST_DECODED = 25_000_000  # pixels of a JPEG, which can be decoded at a half, or of a JPEG 2000
# fewer where Pillow's decoder is written in Python
MOST_OF = {"jpeg2k": MOST_DECODED, **dict.fromkeys(("ppm", "ppm_plain", "bmp_rle"), 2**20)}
SAMPLE = 128  # pixels: a picture's own size is looked at up to twice this, less one


def read_image(path: str | os.PathLike, shape: tuple[int, int, int]) -> np.ndarray:
    """Read an image as a person sees it, uint8 of a shape: (H, W, 1) grey, (H, W, 3) RGB.

    Raises InputError, naming the file, where it cannot be read whole.
    """
    return fit(read_picture(path, max(shape[:2]))[0], shape)


def read_picture(path: str | os.PathLike, side: int | None = None) -> tuple[np.ndarray, bytes]:
    """The picture in a file as a person sees it, the first of several, and the file's content.

    It is turned as EXIF says. Of 16 bits a channel the upper 8 are taken. Transparency is laid
    over white, or over black where white would show nothing. side: the longer side that is wanted;
    a large JPEG is then decoded at a half, a quarter or an eighth, but at twice that side or more.
    Returns uint8 (H, W, 1) for grey, (H, W, 3) in RGB for others. Raises InputError.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise OSError(errno.EINVAL, "not a file")
        if status.st_size > MAX_BYTES:
            raise OSError(errno.EFBIG, f"more than {MAX_BYTES:,} bytes")
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL byte
        why = getattr(error, "strerror", error)
        raise InputError(f"{printable(path)}: cannot be opened ({why})") from None
    try:
        if not data:
            raise ValueError("empty")
        if data.startswith(b"\x89PNG"):
            # all checksums, of which decoding looks at few
            Image.open(io.BytesIO(data), formats=["PNG"]).verify()
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _prepare(picture, data, side)
            picture.load()
            with suppress(Exception):  # a damaged EXIF block: as it is stored
                ImageOps.exif_transpose(picture, in_place=True)
            return _opaque(picture), data
    except UnidentifiedImageError:
        reason = "no image of a known format: save it as PNG, or for HEIC pip install pi-heif"
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
    raise InputError(f"{printable(path)}: cannot be read ({reason})")


def _prepare(picture: Any, data: bytes, side: int | None) -> None:
    """Refuse what would take too much or be read wrongly; set the size to decode at."""
    (width, height) = picture.size
    codec = picture.tile[0].codec_name if picture.tile else ""
    (pixels, most) = (width * height, MOST_OF.get(codec, MAX_PIXELS))
    shrink = max(min(width, height) // (2 * side), 1) if side else 1
    while pixels > MOST_DECODED * shrink**2:
        shrink *= 2
    if codec == "jpeg":
        scans = len(re.findall(JPEG_SCAN, data)) if picture.info.get("progressive") else 1
        most = pixels if scans == 1 else MAX_PIXELS  # Pillow's own limit is 179 million
        # each scan is a pass over all pixels, and each block of 8 x 8 takes a bit at least
        if scans * pixels > 16 * MAX_PIXELS or pixels > 512 * len(data):
            raise ValueError("too many scans, or too little data for its size")
        picture.draft(None, (width // shrink, height // shrink))
    elif picture.format == "TIFF":
        tags = picture.tag_v2
        bits = max(tags.get(258, (1,)))
        # Pillow reads others wrongly: 12 bits, white as zero, each channel for itself, signed ones
        odd = bits > 8 and (bits != 16 or tags.get(262) not in (1, 2) or tags.get(284) == 2)
        if odd or 2 in tags.get(339, ()):
            raise ValueError(f"a TIFF of {bits} bits or of signed numbers: save it as PNG")
    elif picture.format == "PNG" and data[24] == 16 and "transparency" in picture.info:
        raise ValueError("16 bits with one colour that is transparent: save it with 8 bits")
    elif codec == "ppm_plain" and data.count(b"#") > 1000:
        raise ValueError("too many comments: save it as PNG")
    if pixels > most:
        raise ValueError(f"{width} x {height} pixels, more than {most:,} in this format")


def _opaque(picture: Image.Image) -> np.ndarray:
    """A decoded picture -> uint8 (H, W, 1) or (H, W, 3), in sRGB, without transparency."""
    if picture.mode.startswith("I") and picture.format in ("PNG", "PPM", "TIFF"):  # 16 bits of grey
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif picture.mode[0] in "IF":
        raise ValueError(f"pixels of type {picture.mode}")
    mode = "L" if picture.mode in ("1", "L", "LA") else "RGB"
    whole = mode + "A" if picture.has_transparency_data else mode
    if picture.mode not in (whole, "CMYK"):
        picture = picture.convert(whole)
    below = ImageOps.invert(picture.getchannel("A")) if whole != mode else None  # seen through it
    with suppress(Exception):  # no profile, a damaged one, one of other channels: as it is stored
        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        if "sRGB" not in ImageCms.getProfileDescription(profile):
            srgb = ImageCms.createProfile("sRGB")
            picture = ImageCms.buildTransform(profile, srgb, picture.mode, "RGB").apply(picture)
    if picture.mode != mode:
        picture = picture.convert(mode)
    image = np.asarray(picture)
    for ground in ("white", "black") if below else ():
        flat = picture.copy()
        flat.paste(ground, mask=below)
        image = np.asarray(flat)
        if image.min() < 250:  # there is something to see
            break
    return image.reshape(*image.shape[:2], -1)


class WholeShape(tuple):
    """A shape (H, W, C) into which images are fitted whole: their sides keep their ratio."""


FITS: dict[str, type] = {"stretch": tuple, "whole": WholeShape}  # what becomes of other ratios


def fit(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 (h, w, 1 or 3) -> uint8 of shape (H, W, 1 or 3), resized where it differs.

    Into a WholeShape the image is put in the middle, and its edges are repeated on both sides.
    """
    if image.shape == shape:
        return image
    import cv2  # where it is needed: it takes its time

    (height, width, channels) = shape
    (h, w) = (height, width)  # of the image in it
    if isinstance(shape, WholeShape):
        scale = min(height / image.shape[0], width / image.shape[1])
        (h, w) = (max(round(scale * side), 1) for side in image.shape[:2])
    if image.shape[2] > channels:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.shape[:2] != (h, w):
        # what shrinks is averaged, so that nothing is lost; then what grows is drawn out
        smaller = (min(w, image.shape[1]), min(h, image.shape[0]))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
    (above, left) = ((height - h) // 2, (width - w) // 2)
    around = ((above, height - h - above), (left, width - w - left), (0, 0))
    # grey becomes RGB of three equal channels
    return np.broadcast_to(np.pad(image.reshape(h, w, -1), around, mode="edge"), shape).copy()


def look(image: np.ndarray) -> np.ndarray:
    """The shorter and the longer side, 255 where they are more, and 1 for colour: uint8 (3,)."""
    sides = sorted(min(side, 2 * SAMPLE - 1) for side in image.shape[:2])
    return np.array([*sides, np.any(image != image[:, :, :1])], np.uint8)


def described(shape: tuple[int, int, int]) -> str:
    """How images of a shape (H, W, C) are read, in words: "in grey at 28x28", width first."""
    (height, width, channels) = shape
    whole = ", whole, the edges filled" if isinstance(shape, WholeShape) else ""
    return f"in {'grey' if channels == 1 else 'colour'} at {width}x{height}{whole}"
