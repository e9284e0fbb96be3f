"""What a training survives: kill -9 at random moments, a full disk, a large folder, a long run.

    python benchmarks/reliability.py                                 # about 20 minutes
    python benchmarks/reliability.py --kills 3 --epochs 6 --images 600   # a short form

Runs the real train script on folders of drawn shapes. Exit code 1 where a claim fails.
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from pyimagesearch.system import flags, temporary, terminal

terminal.setup()  # before Keras

import keras

from pyimagesearch.inference.model import SiameseModel

FLAGS = ["--recipe", "article", "--batch-size", "16", "--channels", "1"]
failures = []


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--kills", type=flags.positive_int, default=50)
    ap.add_argument("--epochs", type=flags.positive_int, default=50, help="of the long run")
    ap.add_argument("--images", type=flags.positive_int, default=40_000, help="of the large one")
    ap.add_argument("--full-disks", type=flags.positive_int, default=5, help="sizes of them")
    ap.add_argument("--seed", type=flags.seed, default=0, help="of the moments of the kills")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        draw_shapes(folder / "small", 120, 16)
        long_run(folder, args.epochs)
        large_folder(folder, args.images)
        kills(folder, args.kills, random.Random(args.seed))
        full_disk(folder, args.full_disks)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(1 if failures else 0)


def check(holds, claim):
    if not holds:
        failures.append(claim)


def draw_shapes(folder, count, side):
    """Discs and squares, half of each, no two alike."""
    rng = np.random.default_rng(0)
    for k in range(count):
        image = rng.integers(0, 60, (side, side), dtype=np.uint8)
        (x, y) = (int(n) for n in rng.integers(side // 3, side - side // 3, 2))
        r = side // 4
        if k % 2:
            cv2.circle(image, (x, y), r, 250, -1)
        else:
            cv2.rectangle(image, (x - r, y - r), (x + r, y + r), 250, -1)
        path = folder / ("disc" if k % 2 else "square") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)


def train(data, output, *flags, **popen):
    script = ROOT / "train_contrastive_siamese_network.py"
    command = [sys.executable, script, *FLAGS, "--dataset", data, "--output", output, *flags]
    return subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "MPLBACKEND": "Agg"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **popen,
    )


def finish(process, claim):
    (out, err) = process.communicate()
    check(process.returncode == 0, f"{claim}: exit code {process.returncode}, {err[-300:]}")
    return out


def weights(output):
    model = keras.models.load_model(output / "encoder.keras", compile=False)
    return b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())


def is_whole(output):
    """Whether what a run leaves is there and whole, in whatever version."""
    try:
        SiameseModel(output / "contrastive_siamese_model")
        json.loads((output / "metrics.json").read_text())
        weights(output)
        return cv2.imread(str(output / "contrastive_plot.png")) is not None
    except (ValueError, OSError):
        return False


def kills(folder, wanted, rng):
    """Kill at a random moment, resume, kill again, until a run ends; then begin the next one.

    Runs of two seeds take turns, so that the old files are never like the new ones.
    """
    (output, expected, duration) = (folder / "killed", {}, 1e9)  # duration: of the shortest run
    for seed in (1, 2):
        start = time.monotonic()
        process = train(folder / "small", output, *settings_of(seed))
        finish(process, "an uninterrupted run")
        duration = min(duration, time.monotonic() - start)
        expected[seed] = weights(output)

    done, torn, runs, equal = 0, 0, 0, 0
    while done < wanted:
        (seed, resume, runs) = (1 + runs % 2, [], runs + 1)
        while done < wanted:
            process = train(folder / "small", output, *settings_of(seed), *resume)
            try:
                process.communicate(timeout=rng.uniform(0.3, 1.2) * duration)
                break  # it came to its end
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                done += 1
                # killed in its first epoch a run has nothing to go on from, and --resume says so
                resume = ["--resume"] if list(output.glob(".checkpoint*.npz")) else []
                torn += not (is_whole(output) and weights(output) in expected.values())
                print(f"{done} of {wanted} kills", end="\r", file=sys.stderr, flush=True)
        finish(
            train(folder / "small", output, *settings_of(seed), *resume), "a run that was killed"
        )
        equal += weights(output) == expected[seed]
        litter = [*output.glob(".checkpoint*"), *temporary.folders(output)]
        check(not litter, f"left behind by a finished run: {litter}")
    print(f"kill -9: {done} kills of {runs} runs; torn files {torn};", end=" ")
    print(f"resumed runs equal bit for bit to an uninterrupted one: {equal} of {runs}", flush=True)
    check(not torn, "whole files after every kill")
    check(equal == runs, "a resumed run equals an uninterrupted one")


def settings_of(seed):
    return ["--epochs", 6, "--deterministic", "--seed", seed]


def full_disk(folder, sizes):
    """Files may not grow beyond a limit: each step of saving fails once."""
    output, limits = folder / "killed", (0, 20_000, 2_000, 60_000, 100_000)[:sizes]
    before = weights(output)
    refused = 0
    for limit in limits:
        process = train(
            folder / "small",
            output,
            *["--epochs", 1, "--seed", 9],
            preexec_fn=lambda limit=limit: resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, limit)
            ),
        )
        (_, err) = process.communicate()
        refused += process.returncode == 2 and len(err.splitlines()) == 1
        whole = is_whole(output) and (process.returncode == 0 or weights(output) == before)
        check(whole, f"the old files are whole after a disk full at {limit} bytes")
        if process.returncode == 0:
            before = weights(output)
    print(f"full disk: {len(limits)} sizes, {refused} refused in one line; the old files whole")


def memory(process, field):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1000
    return 0.0


def long_run(folder, epochs):
    """Resident memory at epoch 2 and at the last."""
    if not sys.platform.startswith("linux"):
        return
    process = train(folder / "small", folder / "long", "--epochs", epochs)
    sizes = {}
    for line in process.stdout:
        if line.startswith("Epoch "):
            sizes[int(line.split()[1].split("/")[0])] = memory(process, "VmRSS")
    process.wait()
    (first, last) = (sizes[2], sizes[epochs])
    print(f"long run: {first:.0f} MB resident at epoch 2, {last:.0f} MB at epoch {epochs}")
    check(last < 1.05 * first + 5, "memory does not grow from epoch to epoch")


def large_folder(folder, count):
    """The peak of memory that is not a map of a file, for a folder and one ten times larger."""
    if not sys.platform.startswith("linux"):
        return
    peaks = []
    for images in (count // 10, count):
        data = folder / f"images_{images}"
        draw_shapes(data, images, 64)
        process = train(data, folder / f"large_{images}", "--epochs", 1)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, memory(process, "RssAnon"))
            time.sleep(0.05)
        finish(process, "a large folder")
        peaks.append(peak)
        print(f"folder of {images:,} images of 64x64: at most {peak:.0f} MB", flush=True)
    # what is measured at the end, pairs of 4,000 images at most, takes more than the training
    check(max(peaks) < 1200, "1.2 GB are enough, whatever the folder's size")


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    main()
