"""Every recipe on its data set, in one table beside what its source publishes.

    python benchmarks/recipes.py --photos PHOTOS            # about two hours
    python benchmarks/recipes.py --photos PHOTOS --only fast best

PHOTOS: a folder of photos in colour, one subfolder per class. Each recipe writes to a folder
of its own under --output; one that is finished there is not run again. The figures are of test
images on which nothing was chosen, at the threshold that travels with the model.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.trainings import figures_of

# recipe: flags beside it, and what its source publishes
RUNS = {
    "article": ([], "validation loss 0.1107"),
    "bce": ([], "no figure"),
    "fast": ([], ""),
    "best": ([], ""),
    "keras-io": ([], "0.8144 right at 0.5"),
    "photos": (["--dataset"], ""),
    "photos-small": (["--dataset"], ""),
    "triplet": (["--weights", "none", "--dataset"], "no figure in its text"),
    "dogs": (["--epochs", "5", "--dataset"], "loss from 1.6 to about 1"),
}


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--photos", required=True, help="a folder of photos, a subfolder per class")
    ap.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), help="these recipes")
    ap.add_argument("--output", default="runs", help="where the runs are kept (runs)")
    args = ap.parse_args()
    rows = []
    for recipe in args.only:
        (flags, published) = RUNS[recipe]
        photos = [args.photos] if flags[-1:] == ["--dataset"] else []
        run = figures_of(Path(args.output, recipe), "--recipe", recipe, *flags, *photos)
        rows.append(row(recipe, run, published))

    head = ["recipe", "data", "parameters", "epochs", "training"]
    head += ["pairs right", "AUC", "EER", "raw pixels", "its source"]
    lines = [head, ["---"] * len(head), *rows]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


def row(recipe, run, published):
    (test, raw, settings) = (run["test"], run["raw_pixels"], run["settings"])
    right = f"{test['accuracy']['value']:.2%}".replace("%", " %")
    if "accuracy_at_half" in test:
        right += f" ({100 * test['accuracy_at_half']:.2f} % at 0.5)"
    dataset = settings["dataset"]
    return [
        f"`{recipe}`",
        "MNIST" if dataset == "mnist" else "photos",
        f"{run['parameters']:,}",
        f"{run['epochs_run']} of {settings['training']['epochs']}",
        f"{run['training_seconds']:.0f} s",
        right,
        f"{test['auc']['value']:.5f}",
        f"{100 * test['eer']['value']:.2f} %",
        f"{100 * raw['accuracy']['value']:.1f} %",
        published,
    ]


if __name__ == "__main__":
    main()
