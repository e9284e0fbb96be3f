"""Folders of photos with the default recipe, in one table: each the mean of several seeds.

    python benchmarks/own_photos.py hands groceries:classes   # three minutes a folder and seed
    python benchmarks/own_photos.py hands --quick             # without training on
    python benchmarks/own_photos.py hands --recipe photos-small

FOLDER, or FOLDER:classes for --split classes. Each run has a folder of its own under --output;
one that is finished there is not run again. The figures are of test images on which nothing was
chosen, at the threshold that travels with the model.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.trainings import figures_of


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("folders", nargs="+", metavar="FOLDER", help="a subfolder for each class")
    ap.add_argument("--seeds", nargs="+", type=int, default=[42, 1, 2], help="(42 1 2)")
    ap.add_argument("--recipe", default="photos", help="(photos)")
    ap.add_argument("--quick", action="store_true", help="without training on")
    ap.add_argument("--output", default="runs", help="where the runs are kept (runs)")
    args = ap.parse_args()

    head = ["folder", "pairs right", "of each seed", "AUC", "raw pixels", "kept", "seconds"]
    lines = [head, ["---"] * len(head)]
    for name in args.folders:
        (folder, _, split) = name.partition(":")
        runs = [run(args, Path(folder), split, seed) for seed in args.seeds]
        lines.append(row(Path(folder).name + (", new classes" if split else ""), runs))
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


def run(args, folder, split, seed):
    """The figures of one training, as metrics.json holds them."""
    parts = [folder.name, split, args.recipe, "quick" if args.quick else "", str(seed)]
    output = Path(args.output, "-".join(filter(None, parts)))
    flags = ["--dataset", folder, "--recipe", args.recipe, "--seed", seed]
    flags += ["--split", split] if split else []
    flags += ["--quick"] if args.quick else []
    return figures_of(output, *flags)


def row(name, runs):
    right = [run["test"]["accuracy"]["value"] for run in runs]
    kept = [run["settings"].get("way", "-") for run in runs]
    return [
        name,
        f"{np.mean(right):.3f}",
        ", ".join(f"{value:.3f}" for value in right),
        f"{np.mean([run['test']['auc']['value'] for run in runs]):.4f}",
        f"{np.mean([run['raw_pixels']['accuracy']['value'] for run in runs]):.3f}",
        ", ".join(dict.fromkeys(kept)),
        f"{np.mean([seconds(run) for run in runs]):.0f}",
    ]


def seconds(run):
    """Of the training: of all ways, where there are several."""
    found = run["settings"].get("ways")
    return sum(way["seconds"] for way in found.values()) if found else run["training_seconds"]


if __name__ == "__main__":
    main()
