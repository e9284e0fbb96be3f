"""Count the functions of this project that a photo passes, and that `compare` enters.

    python benchmarks/functions.py

A photo: a folder of photos is read as a training of the recipe photos-small reads it, up to the
first batch, with an empty cache. It passes a function that is handed its path, its bytes, its
pixels, or something that holds them, as an argument. compare: all functions that
`python -m pyimagesearch compare A B` enters. Modules' top levels and class bodies do not count,
nor do comprehensions, which are expressions (Python 3.12 no longer enters them).
"""

import inspect
import os
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PACKAGE = str(ROOT / "pyimagesearch")
SIDE = 24  # pixels: no other array of this run has two sides of it
COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


@contextmanager
def counting(wanted):
    """Collect the code of each function of the package that is entered and wanted(frame)."""
    found: set[CodeType] = set()

    def profile(frame: FrameType, event: str, argument: object):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and code not in found:
            is_function = code.co_flags & inspect.CO_OPTIMIZED  # no module, no class body
            if is_function and code.co_name not in COMPREHENSIONS and wanted(frame):
                found.add(code)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def holds_photo(value, depth=0) -> bool:
    """Whether a value is a path of the folder, an image file's bytes, pixels, or holds such."""
    if isinstance(value, (str, os.PathLike)):
        return "photo_" in os.fspath(value)
    if isinstance(value, bytes):
        return value.startswith(b"\x89PNG")
    shape = getattr(value, "shape", None)
    if shape is not None and not isinstance(value, type):
        return list(shape).count(SIDE) > 1
    if depth > 2:
        return False
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    elif hasattr(value, "__dict__") and type(value).__module__.startswith("pyimagesearch"):
        value = vars(value).values()
    if isinstance(value, (list, tuple)) or type(value).__name__ == "dict_values":
        return any(holds_photo(inner, depth + 1) for inner in list(value)[:50])
    return False


def is_handed_photo(frame: FrameType) -> bool:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return any(holds_photo(frame.f_locals.get(name)) for name in code.co_varnames[:count])


def photo_to_batch(folder: str) -> tuple[set[CodeType], set[CodeType]]:
    """(functions that are handed the photo, all that are entered) up to the first batch."""
    import cv2
    import numpy as np

    from pyimagesearch.config import RECIPES
    from pyimagesearch.data import batches, datasets

    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path(folder, name).mkdir()
        for k in range(12):
            picture = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            cv2.imwrite(str(Path(folder, name, f"photo_{k}.png")), picture)
    recipe = RECIPES["photos-small"]
    everything: set[CodeType] = set()

    def wanted(frame):
        everything.add(frame.f_code)
        return is_handed_photo(frame)

    with counting(wanted) as found:
        data = datasets.load(folder, recipe, 42)
        (dataset, _) = batches.batches(data.train, recipe, 42)
        next(iter(dataset))
    return found, everything


def compare() -> set[CodeType]:
    """All functions that compare enters."""
    from pyimagesearch.inference import commands
    from pyimagesearch.system import terminal

    images = [str(ROOT / "examples" / f"image_{k}.png") for k in ("01", "09")]
    model = str(ROOT / "output" / "contrastive_siamese_model")
    with counting(lambda frame: True) as found, suppress(SystemExit):
        sys.argv = ["pyimagesearch", "compare", *images, "--model", model]
        terminal.run(commands.main)
    return found


def show(title: str, found: set[CodeType]) -> None:
    modules = Counter(os.path.relpath(code.co_filename, PACKAGE) for code in found)
    print(f"{title}: {len(found)} functions in {len(modules)} modules")
    for module in sorted(modules):
        names = sorted(c.co_qualname for c in found if c.co_filename == f"{PACKAGE}/{module}")
        print(f"  {module}: {', '.join(names)}")


def main() -> None:
    answers = compare()
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as folder:
        os.environ["CONTRASTIVE_CACHE"] = cache
        (handed, entered) = photo_to_batch(folder)
    show("compare", answers)
    show("a photo, from its path to the batch", handed)
    print(f"(all functions that are entered on that way: {len(entered)})")


if __name__ == "__main__":
    main()
