"""How time and memory grow with the number of images: 1,000, 10,000, 100,000, 1,000,000.

    python benchmarks/growth.py                         # about 6 minutes, 2 GB of disk
    python benchmarks/growth.py 1000 10000              # a short form, one minute
    python benchmarks/growth.py --most-files 1000000    # a million files, too: 6 GB of disk

Each phase runs in a process of its own, over noise of 28x28 in 100 classes, with a cache of its
own. Folders of up to --most-files images are written and read; of larger ones index and arrays
alone are made, and the files that they speak of do not exist: nothing is scanned or decoded.

first read     datasets.load: the folder is scanned, each file decoded, the parts are made
second start   the same again, everything from the cache
epoch          the batches of one epoch of the recipe fast, without a network
embed          galleries.embed_folder with the model that ships
embed again    the same again, everything from the cache
search         search.nearest in these embeddings, the median of 20 queries

"imports alone" is what a process has before it begins. MB is the largest resident memory, own MB
what of it is no map of a file: the rest goes back to the system when others need it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from pyimagesearch.system import flags

SIZES = (1000, 10_000, 100_000, 1_000_000)
SHAPE = (28, 28, 1)
CLASSES = 100
QUERIES = 20
BLOCK = 10_000
MODEL = ROOT / "output" / "contrastive_siamese_model"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("sizes", nargs="*", type=flags.positive_int, default=SIZES)
    ap.add_argument("--folder", help="where the images and the cache are put (a temporary folder)")
    ap.add_argument("--most-files", type=int, default=100_000, help="above it no files (100000)")
    ap.add_argument("--phase", help=argparse.SUPPRESS)
    args = ap.parse_args()
    if args.phase:
        (work,) = [phase for phase in PHASES if phase.__name__ == args.phase]
        seconds = work(Path(args.folder), args.sizes[0])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KB; on macOS bytes
        print(json.dumps([seconds, peak / (1e6 if sys.platform == "darwin" else 1e3)]))
        return
    print("| images | phase | seconds | µs an image | MB | own MB | times the size before |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    row("", "imports alone", measured(imports, Path(), 1))
    before = {}
    for size in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            place = Path(folder)
            if size <= args.most_files:
                write_files(place / "images", size)
                phases = {"first read": read, "second start": read, "epoch": epoch,
                          "embed": embed, "embed again": embed, "search": find}  # fmt: skip
            else:
                measured(fill, place, size)
                phases = {"second start": read, "epoch": epoch, "embed again": embed,
                          "search": find}  # fmt: skip
            for name, work in phases.items():
                found = measured(work, place, size)
                row(f"{size:,}", name, found, size, before.get(name))
                before[name] = found[0]


def row(images, name, found, size=0, before=None):
    (seconds, peak, own) = found
    each = f"{1e6 * seconds / size:,.1f}" if size else ""
    ratio = f"{seconds / before:.1f}x" if before else ""
    shown = f"{seconds:.4f}" if seconds < 0.1 else f"{seconds:.2f}"
    cells = [images, name, shown, each, f"{peak:,.0f}", f"{own:,.0f}", ratio]
    print(f"| {' | '.join(cells)} |", flush=True)


def measured(work, folder, size):
    """Seconds, peak MB and peak MB that is no map of a file, of a phase in its own process."""
    command = [sys.executable, __file__, str(size), "--phase", work.__name__, "--folder", folder]
    environment = os.environ | {"CONTRASTIVE_CACHE": str(folder / "cache")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    own = 0
    while process.poll() is None:
        own = max(own, own_memory(process.pid))
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"{work.__name__} of {size} images: exit code {process.returncode}")
    (seconds, peak) = json.loads(process.stdout.read().splitlines()[-1])
    return seconds, peak, own


def own_memory(pid):
    """RssAnon in MB; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(x.split()[1]) / 1e3 for x in f if x.startswith("RssAnon")), 0)
    except OSError:
        return 0


def write_files(folder, size):
    import cv2

    rng = np.random.default_rng(0)
    for c in range(CLASSES):
        (folder / f"{c:02}").mkdir(parents=True)
    for start in range(0, size, BLOCK):
        noise = rng.integers(0, 256, (min(BLOCK, size - start), *SHAPE), np.uint8)
        for k, image in enumerate(noise, start):
            path = folder / f"{k % CLASSES:02}" / f"{k:07}.png"
            path.write_bytes(cv2.imencode(".png", image)[1].tobytes())


def names(folder, size):
    return [f"{folder}/images/{k % CLASSES:02}/{k:07}.png" for k in range(size)]


def imports(folder, size):
    setup()
    return 0


def setup():
    from pyimagesearch.system import terminal

    terminal.setup()


def fill(folder, size):
    """The cache as a reading and an embedding of so many files leave it; no file is there."""
    setup()
    from pyimagesearch.data import images
    from pyimagesearch.data.cache import digest
    from pyimagesearch.data.cache_index import Cache
    from pyimagesearch.inference.saved_model import SiameseModel

    paths = names(folder, size)
    rng = np.random.default_rng(0)
    model = SiameseModel(MODEL).digest
    with Cache(folder / "cache") as cache:
        for start in range(0, size, BLOCK):
            some = paths[start : start + BLOCK]
            contents = [digest(path.encode()) for path in some]
            files = [(os.fsencode(p), "missing", c) for p, c in zip(some, contents)]
            pixels = rng.integers(0, 256, (len(some), *SHAPE), np.uint8)
            feats = rng.normal(size=(len(some), 48)).astype(np.float32)
            cache.add(f"pixels {images.name_of(SHAPE)}", files, contents, pixels)
            cache.add(f"embeddings {model} {images.name_of(SHAPE)}", [], contents, feats)
    return 0


def loaded(folder, size):
    from pyimagesearch import config
    from pyimagesearch.data import cache, datasets, splits
    from pyimagesearch.data.sets import ImageSet
    from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION

    recipe = config.RECIPES["fast"]
    if (folder / "images").is_dir():
        return recipe, datasets.load(str(folder / "images"), recipe, 0)
    # as datasets.load goes on once it has scanned
    (pixels, contents, _) = cache.pixels_of(names(folder, size), SHAPE)
    labels = np.arange(size, dtype=np.int32) % CLASSES
    class_names = tuple(f"{c:02}" for c in range(CLASSES))
    images = ImageSet(pixels, labels, None, class_names, contents=contents)
    (part, _) = splits.split(images, None, recipe.reading, 0)
    sets = {kind: images.part(np.flatnonzero(part == kind)) for kind in (TRAIN, VALIDATION, TEST)}
    return recipe, datasets.with_pairs(sets, recipe, 0)


def read(folder, size):
    setup()
    start = time.perf_counter()
    loaded(folder, size)
    return time.perf_counter() - start


def epoch(folder, size):
    setup()
    from pyimagesearch.data import batches

    (recipe, data) = loaded(folder, size)
    start = time.perf_counter()
    (dataset, steps) = batches.batches(data.train, recipe, 0)
    for _ in dataset.take(steps):
        pass
    return time.perf_counter() - start


def embedded(folder, size):
    from pyimagesearch.inference import galleries, search
    from pyimagesearch.inference.saved_model import SiameseModel

    model = SiameseModel(MODEL)
    start = time.perf_counter()
    if (folder / "images").is_dir():
        embeddings = galleries.embed_folder(model, folder / "images").embeddings
    else:
        embeddings = search.embed_folder(model, names(folder, size), str(folder))[1]
    return embeddings, time.perf_counter() - start


def embed(folder, size):
    setup()
    return embedded(folder, size)[1]


def find(folder, size):
    setup()
    from pyimagesearch.inference import search

    (embeddings, _) = embedded(folder, size)
    seconds = []
    for query in np.random.default_rng(1).normal(size=(QUERIES, 48)).astype(np.float32):
        start = time.perf_counter()
        search.nearest(query, embeddings)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


PHASES = (imports, fill, read, epoch, embed, find)

if __name__ == "__main__":
    main()
