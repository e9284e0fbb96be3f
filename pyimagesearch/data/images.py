"""One careful reader: a file -> a uint8 array as a person sees it, or an error that names it."""

# import the necessary packages
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pyimagesearch.data.decoding import MAX_BYTES, MAX_PIXELS, opencv, over_white, pixels, upright
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.names import printable

ENDINGS = (".bmp", ".gif", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def list_images(directory):
    """The image files of a folder and its subfolders, by their endings, sorted.

    imutils finds them in the order of the disk, which differs between machines. Left out: hidden
    files and folders, and __MACOSX, which holds no images though its files are named so.
    Raises ValueError where the folder is missing or holds none.
    """
    opencv()  # which imutils needs
    from imutils.paths import list_files

    if not os.path.isdir(directory):
        raise InputError(f"Expected a folder of images. Received: {directory}, no such folder.")
    paths = sorted(
        path
        for path in list_files(directory, validExts=ENDINGS)
        if not any(map(hidden, Path(path).relative_to(directory).parts))
    )
    if not paths:
        raise InputError(
            f"Expected a folder with images ({' '.join(ENDINGS)}). Received: {directory} with none."
        )
    return paths


def hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def read_image(path, shape):
    """Read an image as a person sees it, in grey or colour, resized where it differs.

    shape: (H, W, 1) for grey, (H, W, 3) for colour (RGB). Returns uint8 of that shape.
    Raises ValueError, naming the file, where it cannot be read whole.
    """
    return fit(decode(read_bytes(path), path), shape)


def read_bytes(path):
    """A file's content, uint8 (N,). Raises ValueError, naming it, where that cannot be had."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise InputError("not a file")
        if status.st_size > MAX_BYTES:
            raise InputError(f"{status.st_size:,} bytes, more than {MAX_BYTES:,}")
        return np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f"{printable(path)}: cannot be opened ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{printable(path)}: {error}") from None


def decode(data, path):
    """The picture in a file's bytes as a person sees it, at its own size; the first of several.

    It is turned as EXIF says, transparency is laid over white, 16 bits are scaled by 1 / 257 and
    floats from 0 to 1 by 255. data: uint8 (N,), as read_bytes gives it; path: for messages.
    Returns uint8 (H, W, 1) for a grey picture, (H, W, 3) in RGB for others.
    Raises ValueError, naming the file, where it cannot be read whole.
    """
    data = data.tobytes()
    try:
        if not data:
            raise InputError("empty")
        if is_truncated(data):
            raise InputError("cut off")
        (image, orientation) = pixels(data)
        if image.shape[2] in (2, 4):
            image = over_white(image)
        return upright(image, orientation)
    except UnidentifiedImageError:
        reason = "no image of a known format"
    except Image.DecompressionBombError:  # Pillow's own limit is higher
        reason = f"more than {MAX_PIXELS:,} pixels"
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
    raise InputError(f"{printable(path)}: cannot be read ({reason})")


def fit(image, shape):
    """uint8 (h, w, 1 or 3) -> uint8 of shape (H, W, 1 or 3), resized where it differs."""
    cv2 = opencv()
    (height, width, channels) = shape
    if image.shape[2] > channels:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.shape[:2] != (height, width):
        # INTER_AREA averages, so that nothing is lost when an image shrinks
        shrinks = image.shape[0] > height or image.shape[1] > width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=method)
    # grey becomes RGB of three equal channels
    return np.broadcast_to(image.reshape(height, width, -1), shape).copy()


def read_classes(directory, shape):
    """Images of a folder with one subfolder per class, at least two readable ones in each.

    Returns (uint8 (N, H, W, C), class names (N,) of str, one message for each thing left out).
    Raises ValueError where fewer than two classes are left.
    """
    if not os.path.isdir(directory):
        raise InputError(f"Expected a folder of classes. Received: {directory}, no such folder.")
    # os.path.isdir, unlike DirEntry.is_dir, says no to a link that leads to itself
    folders = [f for f in os.scandir(directory) if os.path.isdir(f) and not hidden(f.name)]
    images, labels, messages = [], [], []
    for folder in sorted(folders, key=lambda f: f.name):
        try:
            (paths, found, bad) = read_images(list_images(folder.path), shape)
        except ValueError:  # no image at all
            (paths, found, bad) = ([], [], [])
        messages += [f"skipped {message}" for message in bad]
        if len(paths) < 2:
            messages.append(
                f"left out class {printable(folder.name)}: {len(paths)} readable images, 2 needed"
            )
            continue
        images.append(found)
        labels += [folder.name] * len(found)
    if len(images) < 2:
        raise InputError(
            "Expected a folder with a subfolder for each of at least two classes, at least two "
            f"images in each. Received: {directory}, {len(images)} such. " + "; ".join(messages[:3])
        )
    return np.concatenate(images), np.array(labels), messages


def read_images(paths, shape):
    """Read what can be read. Returns (paths read, uint8 (N, H, W, C), one message a bad file)."""

    def read(path):
        try:
            return path, read_image(path, shape), None
        except ValueError as error:
            return path, None, str(error)

    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(read, paths):
            results.append(result)
            if len(results) % 200 == 0 and sys.stderr.isatty():
                print(f"\r{len(results)} of {len(paths)} images read", end="\r", file=sys.stderr)
    good = [path for path, _, error in results if error is None]
    images = [image for _, image, error in results if error is None]
    bad = [error for _, _, error in results if error is not None]
    return good, np.array(images, dtype=np.uint8).reshape(-1, *shape), bad


def is_truncated(data):
    """Whether a PNG or JPEG lacks its end."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND\xaeB`\x82" not in data  # the last chunk's name and checksum
    if data.startswith(b"\xff\xd8"):
        return data.find(b"\xff\xd9", data.find(b"\xff\xda")) < 0
    return False
