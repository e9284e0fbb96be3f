"""Images in every format, and every way of storing pixels, that the reader knows."""

import base64
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.data import images

HEIC = (  # 8 x 8 pixels of (200, 100, 50)
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAACJpbG9jAAAAAERAAAEAAQAAAAABoAABAAAAAAAAADQAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAA"
    "AA5waXRtAAAAAAABAAAA/GlwcnAAAADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNw"
    "AAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPB"
    "iQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAACAAAAAEAAAAIAAAAAf///8gAAAAC"
    "////yAAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAPG1kYXQAAAAwKAGvCchZmNA5I1d/"
    "/haf/9pSaH6RhbVn8Tr+gOxlOspDn0Sxk847vgyAh4O4Xstw"
)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sound_files(rng):
    """{name: bytes}: every format, and every way of storing pixels that the reader knows."""
    cv2 = images.opencv()
    noise = rng.integers(0, 256, (37, 41, 4), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    colour = Image.fromarray(smooth[:, :, :3])
    alpha = Image.fromarray(smooth)
    modes = {
        "grey": colour.convert("L"),
        "colour": colour,
        "alpha": alpha,
        "greyalpha": alpha.convert("LA"),
        "palette": colour.quantize(32),
        "bit": colour.convert("1"),
        "cmyk": colour.convert("CMYK"),
    }
    kinds = {
        "BMP": ("grey", "colour", "alpha", "palette", "bit"),
        "GIF": ("grey", "palette", "bit"),
        "JPEG": ("grey", "colour", "cmyk"),
        "PNG": ("grey", "colour", "alpha", "greyalpha", "palette", "bit"),
        "PPM": ("grey", "colour", "bit"),
        "AVIF": ("grey", "colour", "alpha"),
        "JPEG2000": ("grey", "colour", "alpha", "greyalpha"),
        "TIFF": tuple(modes),
        "WEBP": ("colour", "alpha"),
    }
    exif = Image.Exif()
    exif[274] = 6
    files = {
        f"{mode}.{kind.lower()}": encoded(modes[mode], kind)
        for kind, names in kinds.items()
        for mode in names
    }
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"{packing}.tiff"] = encoded(colour, "TIFF", compression=packing)
    files["group4.tiff"] = encoded(modes["bit"], "TIFF", compression="group4")
    files["progressive.jpg"] = encoded(colour, "JPEG", progressive=True, exif=exif)
    files["lossless.webp"] = encoded(alpha, "WEBP", lossless=True, exif=exif)
    files["turned.png"] = encoded(colour, "PNG", exif=exif)
    files["stream.j2k"] = encoded(colour, "JPEG2000", no_jp2=True, num_resolutions=3)
    files["tiles.jp2"] = encoded(colour, "JPEG2000", tile_size=(16, 16), irreversible=True)
    if "HEIF" in images.formats():
        files["photo.heic"] = base64.b64decode(HEIC)
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        files[f"several.{kind.lower()}"] = encoded(
            colour, kind, save_all=True, append_images=[colour.rotate(90)]
        )
    deep = smooth.astype(np.uint16) * 257
    for channels in (1, 3, 4):
        for ending in (".png", ".tiff"):
            data = cv2.imencode(ending, deep[:, :, :channels])[1].tobytes()
            files[f"deep{channels}{ending}"] = data
    for dtype in (np.float32, np.float64):
        floats = (smooth[:, :, :3] / 255).astype(dtype)
        files[f"{dtype.__name__}.tiff"] = cv2.imencode(".tiff", floats)[1].tobytes()
    for kind, values in (("P2", noise[:, :, 0]), ("P3", noise[:, :, :3])):
        text = " ".join(map(str, values.ravel()))
        files[f"text{kind}.ppm"] = f"{kind}\n# 41 x 37\n41 37\n255\n{text}\n".encode()
    files["deep.ppm"] = cv2.imencode(".ppm", deep[:, :, :3])[1].tobytes()
    return files
