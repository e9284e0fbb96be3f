"""The model that ships in output/ is small, loads without this project, and is right.

    python .ci/check_shipped_model.py

Run it in a fresh clone, before any training. Exit code 1 where something does not hold.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "output" / "contrastive_siamese_model"
DIGITS = {f"image_{k:02d}.png": digit for k, digit in enumerate("7305201679543", start=1)}
MOST_BYTES = 2_000_000  # of all that git tracks in output/
LEAST_RIGHT = 0.994  # of the pairs of MNIST's test images


def main():
    names = subprocess.check_output(["git", "ls-files", "-z", "output"], cwd=ROOT, text=True)
    size = sum((ROOT / name).stat().st_size for name in names.split("\0") if name)
    check(size < MOST_BYTES, f"output/ takes {size:,} bytes, of {MOST_BYTES:,} at most")

    with tempfile.TemporaryDirectory() as folder:
        answers = subprocess.check_output(
            [sys.executable, "test_contrastive_siamese_network.py", "--input", "examples",
             "--output", str(Path(folder, "pairs.png"))],
            cwd=ROOT,
            text=True,
        )  # fmt: skip
    pairs = re.findall(r"^(\S+\.png) +(\S+\.png) +\S+ +(same|different)$", answers, re.M)
    right = sum((DIGITS[a] == DIGITS[b]) == (verdict == "same") for a, b, verdict in pairs)
    check(len(pairs) == right == 10, f"{right} of {len(pairs)} pairs of examples/ are right")

    accuracy = share_of_right_pairs()
    check(accuracy >= LEAST_RIGHT, f"{accuracy:.2%} of 20,000 pairs of MNIST's test images right")


def check(holds, claim):
    print(f"[{'ok' if holds else 'FAILED'}] {claim}", flush=True)
    if not holds:
        sys.exit(1)


def share_of_right_pairs():
    """With TensorFlow and the stored settings alone, each test image in one pair of each kind."""
    import tensorflow as tf

    model = tf.saved_model.load(str(MODEL))
    threshold = json.loads((MODEL / "assets.extra" / "siamese.json").read_text())["threshold"]
    with np.load(ROOT / "pyimagesearch" / "data" / "mnist.npz") as data:
        images, labels = data["x_test"], data["y_test"]
    feats = np.concatenate(
        [model.embed(images[i : i + 500, ..., None])["embedding"] for i in range(0, 10_000, 500)]
    )
    rng = np.random.default_rng(0)
    right = []
    for same in (True, False):
        others = np.empty(len(labels), int)
        for digit in range(10):
            (of_digit, of_others) = (np.flatnonzero((labels == digit) == x) for x in (True, False))
            if same:  # the next one in a random circle, so that none is its own partner
                circle = rng.permutation(of_digit)
                others[circle] = np.roll(circle, 1)
            else:
                others[of_digit] = rng.choice(of_others, len(of_digit))
        vectors = {"embedding_a": feats, "embedding_b": feats[others]}
        distances = model.distance(vectors)["distance"].numpy()[:, 0]
        right.append((distances < threshold) == same)
    return np.mean(right)


if __name__ == "__main__":
    main()
