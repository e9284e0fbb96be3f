"""How time and memory grow with the number of images.

    python benchmarks/growth.py                         # 1,000, 10,000, 100,000: five minutes
    python benchmarks/growth.py 1000 10000              # a short form, one minute
    python benchmarks/growth.py 1000000                 # a million files: 6 GB of disk

Each phase runs in a process of its own, over noise of 28x28 in 100 classes, with a cache of its
own.

first read     datasets.load: the folder is scanned, each file decoded, the parts are made
second start   the same again, everything from the cache
epoch          the batches of one epoch of the recipe fast, without a network
embed          model.embed_folder with the model that ships
embed again    the same again, everything from the cache
search         model.search in these embeddings, the median of 20 queries
predict        how many times faster 1,000 images are embedded at once than in the article's way,
               `predict` for one pair after the other: the number stands where seconds stand

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
from pyimagesearch.system import terminal

SIZES = (1000, 10_000, 100_000)
SHAPE = (28, 28, 1)
CLASSES = 100
QUERIES = 20
BLOCK = 10_000
MODEL = ROOT / "output" / "contrastive_siamese_model"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("sizes", nargs="*", type=terminal.positive_int, default=SIZES)
    ap.add_argument("--folder", help="where the images and the cache are put (a temporary folder)")
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
    row("1,000", "predict", measured(compared, Path(), 1000))
    before = {}
    for size in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            place = Path(folder)
            write_files(place / "images", size)
            phases = {
                "first read": read,
                "second start": read,
                "epoch": epoch,
                "embed": embed,
                "embed again": embed,
                "search": find,
            }
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


def imports(folder, size):
    setup()
    return 0


def setup():
    terminal.setup()


def loaded(folder):
    from pyimagesearch import config
    from pyimagesearch.data import datasets

    recipe = config.RECIPES["fast"]
    return recipe, datasets.load(str(folder / "images"), recipe, 0)


def read(folder, size):
    setup()
    start = time.perf_counter()
    loaded(folder)
    return time.perf_counter() - start


def epoch(folder, size):
    setup()
    from pyimagesearch.data import batches

    (recipe, data) = loaded(folder)
    start = time.perf_counter()
    (dataset, steps) = batches.batches(data.train, recipe, 0)
    for _ in dataset.take(steps):
        pass
    return time.perf_counter() - start


def embed(folder, size):
    setup()
    from pyimagesearch.inference.model import SiameseModel

    model = SiameseModel(MODEL)
    start = time.perf_counter()
    model.embed_folder(folder / "images")
    return time.perf_counter() - start


def compared(folder, size):
    """Images a second: many embedded at once, over the article's `predict` of pair by pair."""
    setup()
    import keras

    from pyimagesearch import config, utils
    from pyimagesearch.inference.model import SiameseModel
    from pyimagesearch.siamese_network import build_encoder

    model = SiameseModel(MODEL)
    images = np.random.default_rng(0).integers(0, 256, (size, *model.image_shape), dtype=np.uint8)
    encoder = build_encoder(config.RECIPES[model.settings["recipe"]])
    inputs = [keras.Input(model.image_shape, dtype="uint8") for _ in range(2)]
    two_towers = keras.Model(inputs, utils.euclidean_distance([encoder(x) for x in inputs]))
    rates = []
    for embed in (model.embed, lambda x: two_towers.predict([x[:1], x[1:2]], verbose=0)):
        embed(images)  # the first call prepares it
        start = time.perf_counter()
        for _ in range(100):
            embed(images)
        rates.append(100 / (time.perf_counter() - start))
    return rates[0] * size / (rates[1] * 2)


def find(folder, size):
    setup()
    from pyimagesearch.inference.model import SiameseModel

    model = SiameseModel(MODEL)
    gallery = model.embed_folder(folder / "images")
    seconds = []
    for query in np.random.default_rng(1).integers(0, 256, (QUERIES, *SHAPE), dtype=np.uint8):
        start = time.perf_counter()
        model.search(query, gallery)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


PHASES = (imports, read, epoch, embed, find, compared)

if __name__ == "__main__":
    main()
