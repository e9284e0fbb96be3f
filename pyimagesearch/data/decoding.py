"""The bytes of an image file -> its pixels, whatever the format: images.decode calls it.

Pillow decodes, since it refuses what is cut off, where OpenCV fills the rest with grey in silence.
Where it would keep eight bits of a channel that has more, or be slow, deep.py does it.
"""

import io
import re
from contextlib import suppress

import numpy as np
from PIL import Image, TiffImagePlugin, features
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile

from pyimagesearch.data.deep import (
    MAX_PIXELS,
    bands,
    check_size,
    deep_png,
    deep_tiff,
    netpbm,
    plain_png,
)

MAX_JPEG_PIXELS = 200_000_000  # of one that can be decoded at a reduced size as it is read:
MOST_DECODED = 25_000_000  # pixels, so that it takes less than 300 MB of memory
J2K_BYTES = 16  # a pixel, in the decoder of JPEG 2000

JPEG_SCAN = rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)"  # 1 to 4 channels
J2K = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")
SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
FORMATS = ("AVIF", "BMP", "GIF", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")  # Pillow's names


def pi_heif():
    """The module pi_heif, which reads HEIC and is an extra; None where it is not installed."""
    try:
        import pi_heif
    except ImportError:
        return None
    return pi_heif


def abilities() -> str:
    """What can be decoded here, as text: with another, what could not be read is tried again."""
    heif = pi_heif()
    kinds = [kind for kind in ("avif", "jpg_2000", "webp", "libtiff") if features.check(kind)]
    return f"pillow {Image.__version__} {' '.join(kinds)} heif {heif and heif.__version__}"


def endings() -> tuple[str, ...]:
    """The endings of the files that can be decoded here, lower case."""
    kinds = [
        *(".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png"),
        *(".pnm", ".ppm", ".tif", ".tiff", ".webp"),
    ]
    if features.check("avif"):
        kinds.append(".avif")
    if features.check("jpg_2000"):
        kinds += [".j2k", ".jp2"]
    if pi_heif():
        kinds += [".heic", ".heif", ".hif"]
    return tuple(sorted(kinds))


def is_image(head: bytes) -> bool:
    """Whether a file's first bytes, 64 at most, are those of an image."""
    if head[:2] == b"BM":
        return head[6:10] == bytes(4)  # reserved
    return (
        head.startswith((*SIGNATURES, *TIFF, *J2K))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or brand(head) is not None
        or re.match(rb"P[1-6]\s", head) is not None
    )


def brand(data: bytes) -> str | None:
    """Which of "avif" and "heif" a file of boxes is; None: it is neither."""
    if data[4:8] != b"ftyp":
        return None
    brands = [data[8:12], *re.findall(rb"(?s)....", data[16 : min(data[3], 64)])]
    if brands[0] in AVIF_BRANDS + HEIF_BRANDS:
        return "avif" if any(name in AVIF_BRANDS for name in brands) else "heif"
    return None


def pixels(data: bytes, side: int | None = None) -> tuple[np.ndarray, int]:
    """Bytes of any format -> (uint8 (H, W, 1 to 4: grey or RGB, then alpha), EXIF orientation).

    side: the longer side that is wanted. Large JPEG photos are then decoded at a half, a quarter
    or an eighth of their size, but at twice the wanted side or more; JPEG 2000 likewise.
    """
    if re.match(rb"P[1-6]\s", data):
        return netpbm(data), 1
    if data[:3] == b"\xff\xd8\xff":
        return jpeg(data, side)
    if brand(data) == "heif":
        return heif(data), 1  # its decoder has turned it
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
    return with_pillow(data, side)


def jpeg(data: bytes, side: int | None) -> tuple[np.ndarray, int]:
    """A JPEG photo, at a reduced size where `side` allows it or 25 million pixels are exceeded."""
    # not Image.open, which refuses more than 179 million pixels
    with JpegImageFile(io.BytesIO(data)) as picture:
        (width, height) = picture.size
        # a file of several scans is held whole by its decoder, whatever size comes out
        whole = bool(picture.info.get("progressive")) or first_scan(data) < len(picture.getbands())
        check_size(width, height, limit=MAX_PIXELS if whole else MAX_JPEG_PIXELS)
        # each scan costs a pass over all pixels, and a small file can hold thousands
        if whole and len(re.findall(JPEG_SCAN, data)) * width * height > 16 * MAX_PIXELS:
            raise ValueError("too many scans")
        # it needs a bit at least for each block of 8 x 8 pixels, or most of them would be grey
        if 512 * len(data) < width * height:
            raise ValueError("too little data for its size")
        most = min(width, height)
        while most > 1 and width * height * (most / min(width, height)) ** 2 > MOST_DECODED:
            most //= 2
        least = min(2 * side if side else most, most)
        picture.draft(None, (least, least))
        check_size(*picture.size)
        return to_array(picture), orientation_in(picture.info.get("exif", b""))


def first_scan(data: bytes) -> int:
    """How many channels the first scan of a JPEG has: fewer than the picture if others follow."""
    at = 2
    while at + 4 < len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            return data[at + 4]
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0


def heif(data: bytes) -> np.ndarray:
    """A HEIC photo, the primary one of several."""
    module = pi_heif()
    if module is None:
        raise ValueError("HEIC: pip install pi-heif, and it is read")
    photo = module.open_heif(io.BytesIO(data))  # the header; the pixels when they are asked for
    check_size(*photo.size)
    # not np.asarray(photo), which would look at memory that goes with the photo
    return to_array(photo.to_pillow())


def with_pillow(data: bytes, side: int | None = None) -> tuple[np.ndarray, int]:
    """All that has up to eight bits a channel -> uint8 (H, W, C), EXIF orientation."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        (width, height) = picture.size
        if isinstance(picture, Jpeg2KImageFile):
            reduction = 0 if side is None else reductions(data, min(width, height) // (2 * side))
            check_size(width >> reduction, height >> reduction, J2K_BYTES)
            picture.reduce = reduction
        else:
            check_size(width, height)
        if picture.tile and picture.tile[0][0] == "bmp_rle" and width * height > 2**22:
            raise ValueError(f"run lengths of more than {2**22:,} pixels")  # a loop in Python
        exif = b"" if picture.format == "TIFF" else picture.info.get("exif", b"")
        return to_array(picture), orientation_in(exif)


def reductions(data: bytes, factor: int) -> int:
    """How often a JPEG 2000 can be halved as it is decoded, to 1 / factor of its size at most."""
    coding = data.find(b"\xff\x52")  # the marker, its length of 2 bytes, 5 of style, the levels
    levels = data[coding + 9] if 0 <= coding < len(data) - 9 else 0
    return min(max(factor, 1).bit_length() - 1, levels)


def to_array(picture: Image.Image) -> np.ndarray:
    """A picture of Pillow's, decoded now -> uint8 (H, W, 1 to 4)."""
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
    return image


def orientation_in(exif: bytes) -> int:
    """The EXIF orientation, 1 to 8; 1, as stored, where the block is damaged."""
    tags = Image.Exif()
    with suppress(Exception):
        tags.load(exif)
        return tags.get(274, 1)
    return 1
