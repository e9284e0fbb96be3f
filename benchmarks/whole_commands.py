"""Whole commands of this version beside those of another checkout, in turns: seconds and memory.

    git worktree add ../old e048710    # version 1.4.0
    python benchmarks/whole_commands.py ../old                    # all, five times: an hour
    python benchmarks/whole_commands.py ../old compare --runs 5   # one of them
    python benchmarks/whole_commands.py ../old photos --photos DIR

A command is measured from its start to its end, with an empty cache; its memory is the most that
its process has held. Medians of the runs. Let nothing else run meanwhile.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
TRAIN = ["train_contrastive_siamese_network.py", "--output", "{output}"]
ASK = ["-m", "pyimagesearch"]
PAIR = ["examples/image_01.png", "examples/image_09.png"]
COMMANDS = {
    "fast": [*TRAIN, "--recipe", "fast"],
    "article": [*TRAIN, "--epochs", "2"],
    "photos": [*TRAIN, "--dataset", "{photos}"],
    "compare": [*ASK, "compare", *PAIR],
    "evaluate": [*ASK, "evaluate", "{digits}/all", "--output", "{output}/worst.png"],
    "matrix": [*ASK, "matrix", "{digits}/some", "--output", "{output}/matrix.png"],
}


def measure(checkout: Path, command: list[str], places: dict[str, str]) -> tuple[float, float]:
    """Seconds and megabytes of one command, run in a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        words = [word.format(output=folder, **places) for word in command]
        environment = os.environ | {"CONTRASTIVE_CACHE": f"{folder}/cache"}
        with open(f"{folder}/printed", "w+") as printed:
            begin = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *words], cwd=checkout, env=environment, stdout=printed, stderr=2
            )
            (_, status, used) = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                printed.seek(0)
                sys.exit(
                    f"{words} in {checkout} ended with {process.returncode}:\n{printed.read()}"
                )
    return seconds, used.ru_maxrss / (1e6 if platform.system() == "Darwin" else 1e3)


def processor() -> str:
    """The processor's name, where Linux says it."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("old", type=Path, help="the other checkout")
    ap.add_argument("names", nargs="*", help=f"some of {', '.join(COMMANDS)} (all but photos)")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--photos", help="a folder of photos")
    args = ap.parse_args()
    names = args.names or [name for name in COMMANDS if name != "photos"]
    with tempfile.TemporaryDirectory() as digits:
        with np.load(ROOT / "pyimagesearch" / "data" / "mnist.npz") as data:
            for k, (image, label) in enumerate(zip(data["x_test"], data["y_test"])):
                for part in ("all", "some") if k < 2000 else ("all",):
                    file = Path(digits, part, str(label), f"{k}.png")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(file), image)
        places = {"digits": digits, "photos": args.photos or ""}
        print(f"medians of {args.runs} runs, {os.cpu_count()} cores, {processor()}")
        for name in names:
            runs = [
                [
                    measure(checkout.resolve(), COMMANDS[name], places)
                    for checkout in (args.old, ROOT)
                ]
                for _ in range(args.runs)
            ]
            ((old, of_old), (new, of_new)) = [
                map(statistics.median, zip(*(run[side] for run in runs))) for side in (0, 1)
            ]
            print(
                f"{name:10}{old:8.1f} s{new:8.1f} s, {new / old:.2f} of the time;"
                f"{of_old:7.0f} MB{of_new:7.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
