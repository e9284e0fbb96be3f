"""Pictures of how distances tell same from different, in the style of the article's plot."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyimagesearch.data.rows import evenly
from pyimagesearch.evaluation import verification
from pyimagesearch.evaluation.lettering import lettering
from pyimagesearch.evaluation.measurement import Measurement
from pyimagesearch.evaluation.pictures import DIFFERENT, SAME, save


def plot_roc(
    distances: np.ndarray,
    y: np.ndarray,
    threshold: float,
    measured: Measurement,
    path: str | Path,
) -> Figure:
    """TMR over FMR, the latter on a logarithmic scale, with the operating point."""
    (fig, ax) = _axes()
    roc = verification.roc_curve(distances, y)
    floor = 0.5 / max(np.sum(np.ravel(y) == 0), 1)  # half a false match: where 0 is drawn
    ax.semilogx(np.maximum(roc.fmr, floor), roc.tmr, color=SAME)
    (tmr, fmr) = verification.match_rates(distances, y, threshold)
    right = f"{100 * measured.accuracy.value:.2f} % of pairs right"
    label = f"distance < {threshold:.2f}: {right}"
    # drawn over the frame, too: a perfect point lies in its corner
    ax.plot(max(fmr, floor), tmr, "o", color=DIFFERENT, label=label, clip_on=False, zorder=3)
    ax.set(
        title=f"ROC of the test pairs, AUC {measured.auc.value:.5f}",
        xlabel="False match rate: different pairs called same",
        ylabel="True match rate: same pairs called same",
    )
    ax.legend(loc="lower right")
    return save(fig, path)


def plot_histogram(
    distances: np.ndarray, y: np.ndarray, threshold: float, path: str | Path
) -> Figure:
    """How many same and different pairs lie at which distance, with the threshold."""
    distances, y = np.ravel(distances), np.ravel(y)
    (fig, ax) = _axes()
    bins = np.linspace(min(0, distances.min()), max(distances.max() * 1.0001, 1e-6), 60).tolist()
    kinds = ((1, SAME, "//", "same"), (0, DIFFERENT, "", "different"))
    for kind, color, hatch, name in kinds:
        ax.hist(distances[y == kind], bins, color=color, alpha=0.6, hatch=hatch, label=name)
    ax.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.2f}")
    ax.set_yscale("log")  # the few wrong pairs are what matters
    ax.set_ylim(bottom=0.5)  # a single pair is seen
    ax.set(title="Distances of the test pairs", xlabel="Distance", ylabel="Pairs")
    ax.legend()
    return save(fig, path)


def plot_map(
    embeddings: np.ndarray,
    labels: np.ndarray | None,
    path: str | Path,
    class_names: Sequence[str] = (),
    most: int = 2000,
) -> Figure:
    """The embeddings' two directions of largest variance (PCA), coloured and named by class.

    embeddings: (N, D). labels: int (N,), places in class_names; None where no classes are known.
    The names of more than 30 classes are left out.
    """
    labels = np.zeros(len(embeddings), int) if labels is None else np.ravel(labels)
    some = evenly(len(labels), most)
    (labels, embeddings) = (labels[some], embeddings[some])
    (places, share) = principal_places(embeddings)
    classes = np.unique(labels)
    (fig, ax) = _axes()
    colors = mpl.colormaps["viridis"](np.linspace(0, 1, len(classes)))
    for k, color in zip(classes, colors):
        (x, y) = places[labels == k].T
        ax.scatter(x, y, s=6, color=color, alpha=0.6)
    if 1 < len(classes) <= 30:
        (names, fonts) = lettering([str(class_names[k] if class_names else k) for k in classes])
        for k, name, color in zip(classes, names, colors):
            ax.annotate(
                name,
                np.median(places[labels == k], axis=0),
                ha="center",
                va="center",
                fontfamily=fonts,
                fontsize=9 if max(map(len, names)) <= 12 else 7,
                bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": color, "alpha": 0.9},
            )
    ax.set(
        title=f"Test images, embedded ({100 * share:.0f} % of the variance)",
        xlabel="First principal component",
        ylabel="Second principal component",
    )
    return save(fig, path)


def principal_places(embeddings: np.ndarray) -> tuple[np.ndarray, float]:
    """Where embeddings lie along their two directions of largest variance (PCA).

    embeddings: (N, D). Returns (places (N, 2), the share of the variance that they show, 0 to 1).
    """
    centred = embeddings - embeddings.mean(axis=0)
    (_, sizes, axes) = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    if places.shape[1] == 1:  # a one-dimensional embedding is a line
        places = np.hstack([places, np.zeros_like(places)])
    return places, float(np.square(sizes[:2]).sum() / max(np.square(sizes).sum(), 1e-12))


def _axes() -> tuple[Figure, Axes]:
    # the article's style, ggplot, on these axes alone: a style sheet would be for the whole program
    fig = Figure(layout="tight")
    ax = fig.subplots()
    ax.set_facecolor("#E5E5E5")
    ax.set_axisbelow(True)
    ax.grid(color="white")
    ax.spines[:].set_visible(False)
    ax.tick_params(which="both", color="#555555", labelcolor="#555555")
    ax.xaxis.label.set(color="#555555", size="large")
    ax.yaxis.label.set(color="#555555", size="large")
    return fig, ax
