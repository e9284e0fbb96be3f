"""What a training survives: kill -9 at random moments, a full disk, a large folder, a long run.

    python benchmarks/reliability.py                                     # about 20 minutes
    python benchmarks/reliability.py --kills 3 --epochs 6 --images 600   # a short form

Runs the real train script on folders of drawn images, on Linux. Exit code 1 where a claim fails.
"""

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from pyimagesearch.system import terminal

terminal.setup()  # before Keras

import keras

from pyimagesearch.inference.model import SiameseModel

FLAGS = ["--recipe", "article", "--batch-size", "16", "--channels", "1"]
DISKS = (0, 20_000, 2_000, 60_000, 100_000)  # bytes that a file may have: saving fails at each step
failures = []


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--kills", type=terminal.positive_int, default=50)
    ap.add_argument("--epochs", type=terminal.positive_int, default=50, help="of the long run")
    ap.add_argument("--images", type=terminal.positive_int, default=40_000, help="of the large one")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        draw(folder / "small", 120, 16)
        long_run(folder, args.epochs)
        large_folder(folder, args.images)
        kills(folder, args.kills)
        full_disk(folder)
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(1 if failures else 0)


def check(holds, claim):
    if not holds:
        failures.append(claim)


def draw(folder, count, side):
    """Noise, in two classes: brighter on the left or on the right."""
    rng = np.random.default_rng(0)
    for name, half in (("left", np.s_[:, : side // 2]), ("right", np.s_[:, side // 2 :])):
        (folder / name).mkdir(parents=True)
        for k in range(count // 2):
            image = rng.integers(0, 100, (side, side), dtype=np.uint8)
            image[half] += 100
            cv2.imwrite(str(folder / name / f"{k}.png"), image)


def train(data, output, *flags, **popen):
    script = ROOT / "train_contrastive_siamese_network.py"
    command = [sys.executable, script, *FLAGS, "--dataset", data, "--output", output, *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(part) for part in command], **pipes, **popen)


def finish(process):
    (_, err) = process.communicate()
    check(process.returncode == 0, f"exit code {process.returncode}: {err[-300:]}")


def memory(data, output, epochs):
    """Train; returns the resident MB at each line that was printed, and the most."""
    process = train(data, output, "--epochs", epochs)
    (sizes, most) = ({}, 0.0)
    for line in process.stdout:
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+)", status))
        if found:  # the process has not ended
            (sizes[line.strip()], most) = (int(found[k]) / 1000 for k in ("VmRSS", "VmHWM"))
    finish(process)
    return sizes, most


def long_run(folder, epochs):
    """Memory does not grow from epoch to epoch."""
    (sizes, _) = memory(folder / "small", folder / "long", epochs)
    (first, last) = (sizes[f"Epoch {k}/{epochs}"] for k in (2, epochs))
    print(f"long run: {first:.0f} MB at epoch 2, {last:.0f} MB at epoch {epochs}", flush=True)
    check(last < 1.05 * first + 5, "memory does not grow from epoch to epoch")


def large_folder(folder, count):
    """The peak of memory for a folder and for one ten times larger."""
    for images in (count // 10, count):
        draw(folder / f"images_{images}", images, 64)
        (_, most) = memory(folder / f"images_{images}", folder / f"of_{images}", 1)
        print(f"folder of {images:,} images of 64x64: at most {most:.0f} MB", flush=True)
        check(most < 1600, "1.6 GB are enough for a folder of any size")


def weights(output):
    """The weights of a run; None where something of what it leaves is missing or torn."""
    try:
        SiameseModel(output / "contrastive_siamese_model")
        json.loads((output / "metrics.json").read_text())
        model = keras.models.load_model(output / "encoder.keras", compile=False)
        torn = cv2.imread(str(output / "contrastive_plot.png")) is None
    except (ValueError, OSError):
        return None
    return None if torn else b"".join(w.tobytes() for w in model.get_weights())


def kills(folder, wanted):
    """Kill at a random moment, resume, kill again, until a run ends; then begin the next one.

    Runs of two seeds take turns, so that the old files are never like the new ones.
    """
    (output, rng, expected, duration) = (folder / "killed", random.Random(0), {}, 1e9)

    def start(seed, resume=()):
        settings = ("--epochs", 6, "--deterministic", "--seed", seed)
        return train(folder / "small", output, *settings, *resume)

    for seed in (1, 2):
        begun = time.monotonic()
        finish(start(seed))
        duration = min(duration, time.monotonic() - begun)
        expected[seed] = weights(output)

    (done, torn, runs, equal) = (0, 0, 0, 0)
    while done < wanted:
        (seed, runs, resume) = (1 + runs % 2, runs + 1, [])
        process = start(seed)
        while done < wanted:
            try:
                process.communicate(timeout=rng.uniform(0.3, 1.2) * duration)
                break  # it came to its end
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            done += 1
            torn += weights(output) not in expected.values()
            # killed in its first epoch a run has nothing to go on from, and --resume says so
            resume = ["--resume"] if list(output.glob(".checkpoint*.npz")) else []
            process = start(seed, resume)
        finish(process)
        equal += weights(output) == expected[seed]
        check(not list(output.glob(".c*")), "a finished run leaves no temporary files")
    print(f"kill -9: {done} kills of {runs} runs; torn files {torn};", end=" ")
    print(f"resumed runs equal bit for bit to an uninterrupted one: {equal} of {runs}", flush=True)
    check(not torn, "whole files after every kill")
    check(equal == runs, "a resumed run equals an uninterrupted one")


def full_disk(folder):
    """Files may not grow beyond a limit, so that each step of saving fails once."""
    (output, refused) = (folder / "killed", 0)
    before = weights(output)
    for limit in DISKS:

        def limited(limit=limit):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = train(folder / "small", output, "--epochs", 1, "--seed", 9, preexec_fn=limited)
        (_, err) = process.communicate()
        refused += process.returncode == 2 and len(err.splitlines()) == 1
        now = weights(output)
        whole = now is not None and (process.returncode == 0 or now == before)
        check(whole, f"the old files are whole after a disk full at {limit} bytes")
        before = now
    print(f"full disk: {len(DISKS)} sizes, {refused} refused in one line; the old files whole")


if __name__ == "__main__":
    main()
