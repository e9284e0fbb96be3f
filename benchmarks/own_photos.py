"""What `photos` makes of folders of photos, beside --quick, `photos-small` and frozen features.

    python benchmarks/own_photos.py hands objects groceries groceries:classes --output runs

FOLDER:classes tests on classes that are not trained on. Each figure is the mean of the seeds: the
share of all pairs of test images that is right at the model's own threshold, on images on which
nothing was chosen; in brackets the points that another threshold would have gained there. Seconds
are those of whole commands, with an empty cache. Frozen: the cosine of the last layer of the
network that ships, which nothing is trained on.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from trainings import train

FROZEN = 'base = "photos"\nsource = "frozen"\n[training]\nways = ["last layer"]\n'
HEAD = ["photos", "`photos`: right", "of each seed", "AUC", "recall@1", "kept", "seconds"]
HEAD += ["`--quick`", "seconds", "`photos-small`", "frozen"]


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("dataset", nargs="+", help="folders, or FOLDER:classes")
    ap.add_argument("--seeds", nargs="+", type=int, default=[42, 1, 2], help="(42 1 2)")
    ap.add_argument("--output", default="runs", help="where the runs are kept (runs)")
    ap.add_argument("--photos-alone", action="store_true", help="nothing beside it")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder, "frozen.toml")
        frozen.write_text(FROZEN)
        kinds = [("photos", ""), ("photos", "--quick"), ("photos-small", ""), (str(frozen), "")]
        head = HEAD[: 7 if args.photos_alone else None]
        print(f"| {' | '.join(head)} |\n| {' | '.join(['---'] * len(head))} |")
        for dataset in args.dataset:
            found = [runs(args, dataset, *kind) for kind in kinds[: 1 if args.photos_alone else 4]]
            print(f"| {' | '.join(row(Path(dataset).name, *found))} |", flush=True)


def runs(args, dataset, recipe, flags):
    """What metrics.json says of each seed, and the seconds of the command."""
    how = SimpleNamespace(output=args.output, flags=flags)
    folders = []
    for seed in args.seeds:
        with tempfile.TemporaryDirectory() as os.environ["CONTRASTIVE_CACHE"]:
            folders.append(train(how, recipe, dataset, seed))
    texts = [(folder / "metrics.json").read_text() for folder in folders]
    seconds = [float((folder / "seconds").read_text()) for folder in folders]
    return [json.loads(text) for text in texts], np.mean(seconds)


def row(name, photos, quick=None, *others):
    """A line of the table."""
    (found, seconds) = photos
    cells = [name, right(found), ", ".join(f"{100 * of(run, 'accuracy'):.2f}" for run in found)]
    recall = np.mean([run["retrieval"]["recall_at_1"]["value"] for run in found])
    cells += [f"{np.mean([of(run, 'auc') for run in found]):.4f}", f"{recall:.3f}"]
    cells += [", ".join(dict.fromkeys(run["settings"]["way"] for run in found)), f"{seconds:.0f}"]
    cells += [right(quick[0]), f"{quick[1]:.0f}"] if quick else []
    return [*cells, *(right(runs) for runs, _ in others)]


def of(run, figure):
    value = run["test"][figure]
    return value["value"] if isinstance(value, dict) else value


def right(runs):
    """The mean share of pairs right, and the points that the best threshold is ahead."""
    (values, best) = ([of(run, name) for run in runs] for name in ("accuracy", "best_accuracy"))
    return f"{100 * np.mean(values):.2f} % ({100 * (np.mean(best) - np.mean(values)):.1f})"


if __name__ == "__main__":
    main()
