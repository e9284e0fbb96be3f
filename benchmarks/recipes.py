"""Every recipe on its data set, in one table beside what its source publishes.

    python benchmarks/recipes.py --photos PHOTOS --cifar CIFAR --pairs PAIRS     # three hours
    python benchmarks/recipes.py --only fast best

PHOTOS: a folder of photos in colour, one subfolder per class. CIFAR: CIFAR-10 as images, in
train/CLASS and test/CLASS. PAIRS: ready pairs, as docs/photos.md has them. Each run has a folder of
its own under --output; one that is finished there is not run again. The figures are of test
images on which nothing was chosen, at the threshold that travels with the model.
"""

import argparse
import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.trainings import figures_of

LAST = Path(__file__).with_name("keras_io_last.toml")
# run: its flags, in capitals which folder it needs, and what its source publishes
RUNS = {
    "article": (["--recipe", "article"], "validation loss 0.1107"),
    "bce": (["--recipe", "bce"], "no figure"),
    "fast": (["--recipe", "fast"], ""),
    "best": (["--recipe", "best"], ""),
    "keras-io": (["--recipe", "keras-io"], ""),
    "keras-io, last epoch": (["--recipe", str(LAST)], "0.8144 right at 0.5"),
    "photos": (["--recipe", "photos", "--dataset", "PHOTOS"], ""),
    "photos-small": (["--recipe", "photos-small", "--dataset", "PHOTOS"], ""),
    "triplet, from scratch": (
        ["--recipe", "triplet", "--weights", "none", "--dataset", "CIFAR"],
        "no figure in its text",
    ),
    "triplet-shipped": (["--recipe", "triplet-shipped", "--dataset", "CIFAR"], ""),
    "dogs": (["--recipe", "dogs", "--dataset", "PHOTOS"], "loss from 1.6 to about 1"),
    "dogs, ready pairs": (["--recipe", "dogs", "--dataset", "PAIRS"], "loss from 1.6 to about 1"),
}


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--photos", help="a folder of photos, a subfolder per class")
    ap.add_argument("--cifar", help="CIFAR-10 as images: train/CLASS, test/CLASS")
    ap.add_argument("--pairs", help="ready pairs")
    ap.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), help="these runs")
    ap.add_argument("--output", default="runs", help="where the runs are kept (runs)")
    args = ap.parse_args()
    folders = {"PHOTOS": args.photos, "CIFAR": args.cifar, "PAIRS": args.pairs}
    rows = []
    for name in args.only:
        (flags, published) = RUNS[name]
        missing = [flag for flag in flags if flag in folders and not folders[flag]]
        if missing:
            print(f"{name}: not run without --{missing[0].lower()}", file=sys.stderr)
            continue
        output = Path(args.output, name.replace(", ", "-").replace(" ", "-"))
        run = figures_of(output, *(folders.get(flag, flag) for flag in flags))
        rows.append(row(name, run, output, published))

    head = ["recipe", "data", "parameters", "epochs", "training", "training loss"]
    head += ["pairs right", "AUC", "EER", "raw pixels", "its source"]
    lines = [head, ["---"] * len(head), *rows]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


def row(name, run, output, published):
    """A line of the table."""
    (test, raw, settings) = (run["test"], run["raw_pixels"], run["settings"])
    right = f"{test['accuracy']['value']:.2%}".replace("%", " %")
    if "accuracy_at_half" in test:
        right += f" ({100 * test['accuracy_at_half']:.2f} % at 0.5)"
    dataset = settings["dataset"]
    (recipe, comma, rest) = name.partition(",")
    return [
        f"`{recipe}`{comma}{rest}",
        "MNIST" if dataset == "mnist" else Path(dataset).name,
        f"{run['parameters']:,}",
        f"{run['epochs_run']} of {settings['training']['epochs']}",
        f"{run['training_seconds']:.0f} s",
        "{:.3f} to {:.3f}".format(*losses(output)),
        right,
        f"{test['auc']['value']:.5f}",
        f"{100 * test['eer']['value']:.2f} %",
        f"{100 * raw['accuracy']['value']:.1f} %",
        published,
    ]


def losses(output):
    """The training loss of a run's first and last epoch."""
    with open(output / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    return float(history[0]["loss"]), float(history[-1]["loss"])


if __name__ == "__main__":
    main()
