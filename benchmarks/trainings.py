"""Recipes on data sets, in one table: each row the mean of its seeds.

    python benchmarks/trainings.py --recipe article bce fast best keras-io            # three hours
    python benchmarks/trainings.py --recipe photos --dataset hands groceries:classes --seeds 42 1 2
    python benchmarks/trainings.py --recipe photos --dataset hands --flags=--quick

A data set: mnist, or a folder or list as the train script takes it; FOLDER:classes for --split
classes. Each run has a folder of its own under --output; one that is finished there is not run
again. The figures are of test images on which nothing was chosen, at the threshold that travels
with the model.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[1] / "train_contrastive_siamese_network.py"
PUBLISHED = {  # by a recipe's source
    "article": "validation loss 0.1107",
    "keras-io": "0.8144 right at 0.5",
    "dogs": "loss from 1.6 to about 1",
}
HEAD = ["recipe", "data", "parameters", "epochs", "seconds", "training loss", "pairs right"]
HEAD += ["of each seed", "AUC", "EER", "raw pixels", "kept", "its source"]


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--recipe", nargs="+", required=True, help="names, or files that end in .toml")
    ap.add_argument("--dataset", nargs="+", default=["mnist"], help="(mnist)")
    ap.add_argument("--seeds", nargs="+", type=int, default=[42], help="(42)")
    ap.add_argument("--flags", default="", help="more flags for the train script")
    ap.add_argument("--output", default="runs", help="where the runs are kept (runs)")
    args = ap.parse_args()
    rows = [HEAD, ["---"] * len(HEAD)]
    for recipe in args.recipe:
        for dataset in args.dataset:
            outputs = [train(args, recipe, dataset, seed) for seed in args.seeds]
            rows.append(row(Path(recipe).stem, Path(dataset).name, outputs))
    print("\n".join(f"| {' | '.join(line)} |" for line in rows))


def train(args, recipe, dataset, seed):
    """The folder of a training, which is run where it has not been."""
    (folder, _, split) = dataset.partition(":")
    # two data sets of one name need two --output
    words = [Path(recipe).name, Path(folder).name, split, args.flags.strip("- "), str(seed)]
    output = Path(args.output, "-".join(filter(None, words)))
    if not (output / "metrics.json").is_file():
        print(f"{output} ...", file=sys.stderr, flush=True)
        flags = ["--recipe", recipe, "--dataset", folder, "--seed", str(seed), *args.flags.split()]
        flags += ["--split", split] if split else []
        start = time.monotonic()
        subprocess.run(
            [sys.executable, str(SCRIPT), *flags, "--output", str(output)],
            env={**os.environ, "MPLBACKEND": "Agg"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (output / "seconds").write_text(f"{time.monotonic() - start:.1f}")  # of the whole command
    return output


def row(recipe, dataset, outputs):
    """A line of the table, from the folders of its seeds."""
    runs = [json.loads((output / "metrics.json").read_text()) for output in outputs]
    with open(outputs[0] / "history.csv", newline="") as file:
        losses = [f"{float(line['loss']):.3f}" for line in csv.DictReader(file)]

    def mean(*names):
        values = [run[names[0]][names[1]] for run in runs]
        return np.mean([x["value"] if isinstance(x, dict) else x for x in values])

    right = f"{100 * mean('test', 'accuracy'):.2f} %"
    if "accuracy_at_half" in runs[0]["test"]:
        right += f" ({100 * mean('test', 'accuracy_at_half'):.2f} % at 0.5)"
    seconds = [run["training_seconds"] for run in runs]
    if runs[0]["settings"].get("ways"):  # `photos`, of which not all is fit: the whole command
        seconds = [float((output / "seconds").read_text()) for output in outputs]
    return [
        f"`{recipe}`",
        dataset,
        f"{runs[0]['parameters']:,}",
        f"{runs[0]['epochs_run']} of {runs[0]['settings']['training']['epochs']}",
        f"{np.mean(seconds):.0f}",
        f"{losses[0]} to {losses[-1]}" if losses else "-",  # computed, not trained
        right,
        ", ".join(f"{100 * run['test']['accuracy']['value']:.2f}" for run in runs),
        f"{mean('test', 'auc'):.5f}",
        f"{100 * mean('test', 'eer'):.2f} %",
        f"{100 * mean('raw_pixels', 'accuracy'):.1f} %",
        ", ".join(dict.fromkeys(run["settings"].get("way", "-") for run in runs)),
        PUBLISHED.get(recipe, ""),
    ]


if __name__ == "__main__":
    main()
