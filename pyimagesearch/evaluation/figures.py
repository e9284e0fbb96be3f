"""Figures, in the style of the article's plot. Smaller distance = more alike in all of them."""

# import the necessary packages
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.embeddings import evenly
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import check_writable, whole_file
from pyimagesearch.system.names import printable

# two colours that the colour-blind tell apart (Okabe and Ito, 2008)
SAME, DIFFERENT = "#0072B2", "#D55E00"


def plot_pairs(imagesA, imagesB, titles, colors, path, title="", columns=5):
    """Pairs of images, each under its title. imagesA, imagesB: uint8 (B, H, W, C).

    The first 100 of them: more would be too small to see.
    """
    titles = titles[:100]
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    (fig, axes) = plt.subplots(
        rows, columns, figsize=(2.2 * columns, 1.5 * rows + 0.5), squeeze=False, layout="tight"
    )
    fig.suptitle(title, fontsize=11)
    for ax in axes.flat:
        ax.axis("off")
    for ax, imageA, imageB, text, color in zip(axes.flat, imagesA, imagesB, titles, colors):
        gap = np.full((len(imageA), max(imageA.shape[1] // 14, 1), imageA.shape[2]), 255, np.uint8)
        ax.imshow(
            np.concatenate([imageA, gap, imageB], axis=1).squeeze(), cmap="gray", vmin=0, vmax=255
        )
        ax.set_title(text, fontsize=10, color=color)
    _save(fig, path)


def plot_verdicts(imagesA, imagesB, distances, threshold, path):
    """Pairs of images, each with its distance and verdict: same where distance < threshold."""
    same = np.asarray(distances) < threshold
    titles = [f"{d:.2f} {'same' if s else 'different'}" for d, s in zip(distances, same)]
    colors = [SAME if s else DIFFERENT for s in same]
    plot_pairs(
        imagesA, imagesB, titles, colors, path, f"distance; same where it is < {threshold:.2f}"
    )


def plot_training_pairs(imagesA, imagesB, y, path):
    """Pairs as the network sees them in training, with their labels."""
    plot_pairs(
        imagesA,
        imagesB,
        [f"y = {k:.0f}, {'same' if k else 'different'}" for k in y],
        [SAME if k else DIFFERENT for k in y],
        path,
        "training pairs, as the network sees them",
    )


def plot_worst(images, pairs, distances, y, threshold, path, count=10):
    """The pairs that the model gets most wrong: same ones far apart, different ones near."""
    distances, y = np.ravel(distances), np.ravel(y)
    order = np.argsort(distances, kind="stable")
    same = order[y[order] == 1][::-1][: count // 2]
    different = order[y[order] == 0][: count // 2]
    worst = np.concatenate([same, different])
    plot_pairs(
        images[pairs[worst, 0]],
        images[pairs[worst, 1]],
        [f"{distances[k]:.2f}, is {'same' if y[k] else 'different'}" for k in worst],
        [SAME if y[k] else DIFFERENT for k in worst],
        path,
        f"the same pairs furthest apart, the different pairs nearest; threshold {threshold:.2f}",
        columns=max(len(same), len(different)),
    )


def plot_roc(distances, y, threshold, figures, path):
    """TMR over FMR, the latter on a logarithmic scale, with the operating point."""
    with plt.style.context("ggplot"):
        (fig, ax) = plt.subplots(layout="tight")
        roc = verification.roc_curve(distances, y)
        floor = 0.5 / max(np.sum(np.ravel(y) == 0), 1)  # half a false match: where 0 is drawn
        ax.semilogx(np.maximum(roc.fmr, floor), roc.tmr, color=SAME)
        (tmr, fmr) = verification.match_rates(distances, y, threshold)
        label = f"distance < {threshold:.2f}: {100 * figures['accuracy'][0]:.2f} % of pairs right"
        ax.plot(max(fmr, floor), tmr, "o", color=DIFFERENT, label=label)
        ax.set(
            title=f"ROC of the test pairs, AUC {figures['auc'][0]:.5f}",
            xlabel="False match rate: different pairs called same",
            ylabel="True match rate: same pairs called same",
        )
        ax.legend(loc="lower right")
        _save(fig, path)


def plot_histogram(distances, y, threshold, path):
    """How many same and different pairs lie at which distance, with the threshold."""
    distances, y = np.ravel(distances), np.ravel(y)
    with plt.style.context("ggplot"):
        (fig, ax) = plt.subplots(layout="tight")
        bins = np.linspace(0, distances.max() * 1.0001, 60)
        kinds = ((1, SAME, "//", "same"), (0, DIFFERENT, "", "different"))
        for kind, color, hatch, name in kinds:
            ax.hist(distances[y == kind], bins, color=color, alpha=0.6, hatch=hatch, label=name)
        ax.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.2f}")
        ax.set_yscale("log")  # the few wrong pairs are what matters
        ax.set(title="Distances of the test pairs", xlabel="Distance", ylabel="Pairs")
        ax.legend()
        _save(fig, path)


def plot_map(embeddings, labels, path, most=2000):
    """The embeddings' two directions of largest variance (PCA), coloured and named by class.

    labels: None where no classes are known. The names of more than 30 classes are left out.
    """
    labels = np.full(len(embeddings), "") if labels is None else np.ravel(labels)
    some = evenly(len(labels), most)
    (labels, embeddings) = (labels[some], embeddings[some])
    centred = embeddings - embeddings.mean(axis=0)
    (_, sizes, axes) = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    if places.shape[1] == 1:  # a one-dimensional embedding is a line
        places = np.hstack([places, np.zeros_like(places)])
    share = np.square(sizes[:2]).sum() / max(np.square(sizes).sum(), 1e-12)
    classes = np.unique(labels)
    with plt.style.context("ggplot"):
        (fig, ax) = plt.subplots(layout="tight")
        colors = plt.get_cmap("viridis")(np.linspace(0, 1, len(classes)))
        for name, color in zip(classes, colors):
            mine = places[labels == name]
            ax.scatter(*mine.T, s=6, color=color, alpha=0.6)
            if not 1 < len(classes) <= 30:
                continue
            ax.annotate(
                plain(name),
                np.median(mine, axis=0),
                ha="center",
                va="center",
                bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": color, "alpha": 0.9},
            )
        ax.set(
            title=f"Test images, embedded ({100 * share:.0f} % of the variance)",
            xlabel="First principal component",
            ylabel="Second principal component",
        )
        _save(fig, path)


def plot_ranked(query, images, distances, threshold, path):
    """A query and the images most like it, nearest first. uint8 (H, W, C) and (B, H, W, C)."""
    queries = np.repeat(query[None], len(images), axis=0)
    titles = [f"{rank}: {d:.2f}" for rank, d in enumerate(distances, 1)]
    colors = [SAME if d < threshold else DIFFERENT for d in distances]
    plot_pairs(
        queries,
        images,
        titles,
        colors,
        path,
        f"the query and what is most like it; same where the distance is < {threshold:.2f}",
    )


def plot_matrix(distances, names, threshold, path):
    """All distances of a folder, (N, N), as a map; the threshold is marked on its scale."""
    (fig, ax) = plt.subplots(figsize=(7, 6), layout="tight")
    picture = ax.imshow(distances, cmap="cividis")
    names = [plain(name) for name in names]
    if len(names) <= 30:
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
        ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_title("Distances; darker = more alike")
    scale = fig.colorbar(picture, label=f"distance; the line: threshold {threshold:.2f}")
    scale.ax.axhline(threshold, color="white")
    _save(fig, path)


def plain(name):
    """A name as text of a figure, where a dollar sign would start a formula."""
    return printable(str(name)).replace("$", r"\$")


def check_output(path):
    """Raise ValueError where path cannot become a picture, before any work is done."""
    formats = plt.gcf().canvas.get_supported_filetypes()
    plt.close()
    if Path(path).suffix.lower().lstrip(".") not in formats:
        known = ", ".join(formats)
        raise InputError(f"Expected a picture's file name, ending in {known}. Received: {path}.")
    check_writable(Path(path).parent)


def show():
    """Show the open figures where there is a display; elsewhere do nothing."""
    if plt.get_backend().lower() != "agg":
        plt.show()


def close():
    """Forget the open figures."""
    plt.close("all")


def _save(fig, path):
    with whole_file(path) as new:
        fig.savefig(new, dpi=120)
