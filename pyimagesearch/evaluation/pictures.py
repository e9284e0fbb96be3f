"""Pictures of pairs of images and of their distances. Smaller distance = more alike."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from pyimagesearch.data.sets import evenly
from pyimagesearch.evaluation.all_pairs import ImagePairs
from pyimagesearch.evaluation.intervals import two_digits
from pyimagesearch.evaluation.measure import Measurement
from pyimagesearch.system.files import check_writable, is_figure, whole_file
from pyimagesearch.system.terminal import InputError, printable, say

File = str | Path

# colours that the colour-blind tell apart (Okabe and Ito, 2008), one a little darker as text
SAME, DIFFERENT = "#0072B2", "#B84F00"
# and eight of theirs for classes, which then differ in shape
COLORS = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"]
SHAPES = "os^DvP*X"
MOST_SHOWN = 100  # pairs in a figure


def plot_pairs(
    images: Sequence[np.ndarray], texts: Sequence[str], same: Any, path: File, title: str
) -> Figure:
    """Pairs of images, each under its text and the word same or different, in that colour.

    images: two uint8 (B, H, W, C), or one, of single images. same: (B,), or None: no word.
    Five in a row, six of single images; the first 100 of them: more would be too small to see.
    """
    if len(texts) > MOST_SHOWN:
        say(f"the figure shows the first {MOST_SHOWN} of {len(texts):,}")
    texts = texts[:MOST_SHOWN]
    columns = min(7 - len(images), len(texts))
    rows = -(-len(texts) // columns)
    size = (max(2.2 * columns, 0.095 * len(title)), 1.5 * rows + 0.5)  # wide enough for the title
    fig = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1))
    axes = fig.subplots(rows, columns, squeeze=False)
    fig.suptitle(title, fontsize=11)
    for ax in axes.flat:
        ax.axis("off")
    for ax, text, alike, a, *b in zip(axes.flat, texts, same, *images):
        gap = np.full((len(a), max(a.shape[1] // 14, 1), a.shape[2]), 255, np.uint8)
        pair = np.concatenate([a, gap, *b][: 1 + 2 * len(b)], axis=1)  # (H, W + gap + W, C)
        ax.imshow(pair[:, :, 0] if pair.shape[2] == 1 else pair, cmap="gray", vmin=0, vmax=255)
        (word, color) = (" same", SAME) if alike else (" different", DIFFERENT)
        (word, color) = ("", "black") if alike is None else (word, color)
        # without y Matplotlib looks for ticks that the title may cover, and there are none
        ax.set_title(f"{text}{word}", y=1, fontsize=10, color=color)
    return save(fig, path)


def plot_worst(measured: Measurement, worst: tuple, path: File, run: str = "") -> Figure:
    """What measure.worst_pairs found. run: the recipe and the data, for the title."""
    (rows, pairs) = worst
    wrong = ["" if pair["same"] == pair["expected"] else " wrong:" for pair in pairs]
    texts = [f"{pair['distance']:.3f},{text} is" for pair, text in zip(pairs, wrong)]
    images = [measured.compared.images.images[ends] for ends in rows.T]
    title = f"{run}The furthest same, the nearest different; threshold {measured.threshold:.3f}"
    return plot_pairs(images, texts, [pair["expected"] for pair in pairs], path, title)


def plot_matrix(distances: np.ndarray, names: list[str], threshold: float, path: File) -> Figure:
    """All distances of a folder, (N, N), as a map; the threshold is marked on its scale.

    names: of the files, sorted. Lines part the folders, which are named where files are too many.
    """
    import imutils  # where it is needed

    fig = Figure(figsize=(7, 6), layout="tight")
    ax = fig.subplots()
    most = max(float(np.max(distances)), 1.1 * threshold)  # what is the same looks it
    n = len(names)
    # as means of areas; Matplotlib takes 65 bytes for each
    shown = imutils.resize(distances.astype(np.float32), width=min(n, 1000))
    extent = (-0.5, n - 0.5, n - 0.5, -0.5)
    picture = ax.imshow(shown, cmap="cividis", vmin=0, vmax=most, extent=extent)
    folders = np.array([name.rpartition("/")[0] or "." for name in names])
    starts = np.flatnonzero(np.append(True, folders[1:] != folders[:-1]))
    for start in starts[1:]:
        ax.axhline(start - 0.5, color="white", linewidth=0.8)
        ax.axvline(start - 0.5, color="white", linewidth=0.8)
    places = np.arange(len(names))
    if len(names) > 30 and len(starts) > 1:
        places = (starts + np.append(starts[1:], len(names)) - 1) / 2  # the middle of each
        names = folders[starts].tolist()
    if len(names) <= 30:
        texts = lettering(names)
        ax.set_xticks(places, texts, rotation=90, fontsize=8)
        ax.set_yticks(places, texts, fontsize=8)
    ax.set_title("Distances; darker = more alike")
    scale = fig.colorbar(picture, label=f"distance; the line: threshold {threshold:.2f}")
    scale.ax.axhline(threshold, color="white")
    return save(fig, path)


def plot_roc(measured: Measurement, path: File, run: str = "") -> Figure:
    """TMR over FMR, the latter on a logarithmic scale, with the operating point."""
    (curve, tmr, fmr) = (measured.compared.curve, measured.tmr.value, measured.fmr.value)
    title = f"{run}ROC, AUC {measured.auc.value:.5f}\nat the threshold, the dot: "
    title += f"TMR {100 * tmr:.2f} %, FMR {two_digits(100 * fmr)} %"
    across = "False match rate: different pairs called same"
    (fig, ax) = _axes(title, across, "True match rate: same pairs called same")
    (floor, low) = roc_corner(measured)
    ax.semilogx(np.maximum(curve.fmr, floor), curve.tmr, color=SAME)
    # drawn over the frame, too: a perfect point lies in its corner
    ax.plot(max(fmr, floor), tmr, "o", color=DIFFERENT, clip_on=False, zorder=3)
    ax.set_ylim(low, 1 + (1 - low) / 50)
    return save(fig, path)


def roc_corner(measured: Measurement) -> tuple[float, float]:
    """Where a ROC with a logarithmic FMR begins: half a false match, for 0, and a TMR."""
    (curve, tmr) = (measured.compared.curve, measured.tmr.value)
    low = min(tmr, curve.tmr[curve.fmr == 0].max())
    return 0.5 / curve.different.sum(), min(np.floor(10 * low) / 10, 0.9)


def plot_histogram(measured: Measurement, path: File, run: str = "") -> Figure:
    """How many same and different pairs lie at which distance, with the threshold."""
    threshold = measured.threshold
    (fig, ax) = _axes(f"{run}Distances of the test pairs", "Distance", "Pairs")
    (edges, kinds) = histogram(measured)
    how = ((SAME, "//", "same"), (DIFFERENT, "", "different"))
    for pairs, (color, hatch, name) in zip(kinds, how):
        ax.stairs(pairs, edges, fill=True, color=color, alpha=0.6, hatch=hatch, label=name)
    ax.axvline(threshold, ymax=0.87, color="black", ls="--", label=f"threshold {threshold:.2f}")
    ax.set_yscale("log")  # the few wrong pairs are what matters
    ax.tick_params(which="minor", labelleft=False)  # of few pairs these would stand outside
    ax.set_ylim(0.5, 4 * np.max(kinds) ** 1.2)  # the legend hides none
    ax.legend(loc="upper center", ncols=3)
    return save(fig, path)


def histogram(measured: Measurement, bins: int = 60) -> tuple[np.ndarray, list[np.ndarray]]:
    """The edges of bins of distances, float (B + 1,), and [same, different] pairs in each, (B,)."""
    curve = measured.compared.curve
    distances = measured.compared.distance.output(curve.levels)
    edges = np.linspace(min(0, distances[0]), max(distances[-1] * 1.0001, 1e-6), bins + 1)
    kinds = (curve.same, curve.different)
    return edges, [np.histogram(distances, edges, weights=pairs)[0] for pairs in kinds]


def plot_map(compared: ImagePairs, path: File, run: str = "") -> Figure:
    """The embeddings' two directions of largest variance (PCA), coloured and named by class.

    At most 2,000 images. The names of more than 30 classes are left out.
    """
    some = evenly(len(compared.rows), 2000)
    labels = compared.class_of[some] if compared.whole else np.zeros(len(some), int)
    centred = compared.embeddings[some] - compared.embeddings[some].mean(axis=0)
    (_, sizes, axes) = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(centred), 2))  # a one-dimensional embedding is a line
    places[:, : min(2, len(axes))] = centred @ axes[:2].T
    share = np.square(sizes[:2]).sum() / max(np.square(sizes).sum(), 1e-12)
    title = f"{run}Test images, embedded ({100 * share:.0f} % of the variance)"
    (fig, ax) = _axes(title, "First principal component", "Second principal component")
    names = lettering(compared.names) if compared.whole and len(compared.names) <= 30 else []
    for k in np.unique(labels):  # there are 64 signs, then the first again
        ((x, y), color, shape) = (places[labels == k].T, COLORS[k % 8], SHAPES[k // 8 % 8])
        how: Any = {"c": color, "marker": shape, "label": f" {names[k]}" if names else None}
        ax.scatter(x, y, s=18, edgecolors="#333", linewidths=0.4, **how)
    if names:  # beside the points, of which it hides none
        fig.set(size_inches=(9, 4.8), layout_engine="constrained")
        fig.legend(loc="outside right center", ncols=1 + (len(names) > 15), fontsize=8)
    return save(fig, path)


def lettering(names: Sequence[str]) -> list[str]:
    """The names as text for a figure, each on one line and at most 30 characters long.

    A dollar sign starts no formula. A name that Matplotlib's font cannot draw, or that runs from
    right to left, becomes its number, and the log says so.
    """
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    known = set(map(chr, font.get_charmap()))
    texts = []
    for number, name in enumerate(map(printable, names), 1):
        text = name if len(name) <= 30 else f"{name[:14]}…{name[-15:]}"
        if not known.issuperset(text) or {"R", "AL"} & {*map(unicodedata.bidirectional, text)}:
            say(f"in the figures: #{number} = {text}")
            text = f"#{number}"
        texts.append(text.replace("$", r"\$"))
    return texts


def check_output(path: File) -> None:
    """Raise InputError where path cannot become a picture; of files there figures are replaced."""
    formats = ("png", "jpg", "jpeg", "pdf", "svg", "ps", "eps")  # which say who drew them
    if Path(path).suffix.lower().lstrip(".") not in formats:
        wanted = f"a picture's file name, ending in one of {', '.join(formats)}"
        raise InputError(wanted, f"{path}. Name another with --output")
    if Path(path).is_file() and not is_figure(path):
        wanted = "a new picture with --output, or an earlier figure that names Matplotlib"
        raise InputError(wanted, f"{printable(str(path))}, a file")
    check_writable(Path(path).parent)


def show(fig: Figure) -> None:
    """Show a figure in a window where there is a display; elsewhere do nothing."""
    import matplotlib.pyplot as plt  # here alone: it looks for a display

    if plt.get_backend().lower() != "agg":
        window: Any = plt.figure(figsize=tuple(fig.get_size_inches())).canvas.manager
        window.canvas.figure = fig  # it was made for an empty one
        fig.set_canvas(window.canvas)
        plt.show()


def save(fig: Figure, path: File) -> Figure:
    """Write a figure to a file, whole or not at all."""
    mark: Any = {"pil_kwargs": {"comment": "Matplotlib"}}  # of a JPEG, which has none by itself
    with whole_file(path) as new:
        fig.savefig(new, dpi=120, **mark if str(path).lower().endswith(("jpg", "jpeg")) else {})
    return fig


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    # in the article's grey, on these axes alone: a style sheet would be for the whole program
    fig = Figure()  # with fixed margins: to find those that fit, all would be drawn twice
    fig.subplots_adjust(0.13, 0.12, 0.97, 0.98 - 0.05 * len(title.splitlines()))
    ax = fig.subplots()
    ax.set(title=title, xlabel=x, ylabel=y, facecolor="#E5E5E5", axisbelow=True)
    ax.grid(color="white")
    return fig, ax
