"""One careful reader: a file -> a uint8 array, or an error that names the file."""

# import the necessary packages
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

# a small file can claim to be a huge image: let OpenCV refuse before it reserves the memory
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**27))
# what is wrong with a file is said in one line, by name
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

ENDINGS = (".bmp", ".gif", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


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
    return cv2


def list_images(directory):
    """The image files of a folder and its subfolders, by their endings, sorted.

    imutils finds them in the order of the disk, which differs between machines.
    Raises ValueError where the folder is missing or holds none.
    """
    opencv()  # which imutils needs
    from imutils.paths import list_files

    if not os.path.isdir(directory):
        raise ValueError(f"Expected a folder of images. Received: {directory}, no such folder.")
    paths = sorted(list_files(directory, validExts=ENDINGS))
    if not paths:
        raise ValueError(
            f"Expected a folder with images ({' '.join(ENDINGS)}). Received: {directory} with none."
        )
    return paths


def read_image(path, shape):
    """Read an image with OpenCV as a person sees it, in grey or colour, resized where it differs.

    shape: (H, W, 1) for grey, (H, W, 3) for colour (RGB). Returns uint8 of that shape.
    Raises ValueError, naming the file, where it cannot be read whole.
    """
    (height, width, channels) = shape
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise ValueError(f"{printable(path)}: not a file")
    try:
        # OpenCV's own reading of files fails on names that are not valid Unicode
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise ValueError(f"{printable(path)}: cannot be opened ({error.strerror})") from None
    if is_truncated(data.tobytes()):
        raise ValueError(f"{printable(path)}: the file is cut off")

    cv2 = opencv()
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(data, flag) if len(data) else None
    except cv2.error as error:
        raise ValueError(f"{printable(path)}: not readable ({error.err})") from None
    if image is None:
        raise ValueError(f"{printable(path)}: no image that OpenCV can read")

    if image.shape[:2] != (height, width):
        # INTER_AREA averages, so that nothing is lost when an image shrinks
        shrinks = image.shape[0] > height or image.shape[1] > width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=method)
    if channels == 1:
        return image[:, :, np.newaxis]
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_classes(directory, shape):
    """Images of a folder with one subfolder per class, at least two readable ones in each.

    Returns (uint8 (N, H, W, C), class names (N,) of str, one message for each thing left out).
    Raises ValueError where fewer than two classes are left.
    """
    if not os.path.isdir(directory):
        raise ValueError(f"Expected a folder of classes. Received: {directory}, no such folder.")
    # os.path.isdir, unlike DirEntry.is_dir, says no to a link that leads to itself
    folders = [f for f in os.scandir(directory) if os.path.isdir(f) and f.name[0] != "."]
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
        raise ValueError(
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
    """Whether a PNG or JPEG lacks its end; OpenCV would fill the rest with grey in silence."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND\xaeB`\x82" not in data  # the last chunk's name and checksum
    if data.startswith(b"\xff\xd8"):
        # cameras may write more behind the end marker; a thumbnail's own marker stands before
        # the last start of scan
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return False


def printable(path):
    """A file's name on one line, whatever bytes it holds."""
    name = str(Path(path)).encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[\x00-\x1f\x7f]", "?", name)
