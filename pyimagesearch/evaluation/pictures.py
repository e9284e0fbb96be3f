"""Pictures of pairs of images and of their distances. Smaller distance = more alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pyimagesearch.data.rows import Rows
from pyimagesearch.evaluation.lettering import lettering
from pyimagesearch.evaluation.verification import called_same
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import check_writable, whole_file

# two colours that the colour-blind tell apart (Okabe and Ito, 2008)
SAME, DIFFERENT = "#0072B2", "#D55E00"


def plot_pairs(
    images_a: np.ndarray,
    images_b: np.ndarray,
    titles: Sequence[str],
    colors: Sequence[str],
    path: str | Path,
    title: str = "",
    columns: int = 5,
) -> Figure:
    """Pairs of images, each under its title. images_a, images_b: uint8 (B, H, W, C).

    The first 100 of them: more would be too small to see.
    """
    titles = titles[:100]
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    # a title needs some width even over a single pair
    fig = Figure(figsize=(max(2.2 * columns, 0.095 * len(title)), 1.5 * rows + 0.5), layout="tight")
    axes = fig.subplots(rows, columns, squeeze=False)
    fig.suptitle(title, fontsize=11)
    for ax in axes.flat:
        ax.axis("off")
    for ax, a, b, text, color in zip(axes.flat, images_a, images_b, titles, colors):
        gap = np.full((len(a), max(a.shape[1] // 14, 1), a.shape[2]), 255, np.uint8)
        pair = np.concatenate([a, gap, b], axis=1)  # (H, W + gap + W, C)
        ax.imshow(pair[:, :, 0] if pair.shape[2] == 1 else pair, cmap="gray", vmin=0, vmax=255)
        ax.set_title(text, fontsize=10, color=color)
    return save(fig, path)


def plot_verdicts(
    images_a: np.ndarray,
    images_b: np.ndarray,
    distances: np.ndarray,
    threshold: float,
    path: str | Path,
) -> Figure:
    """Pairs of images, each with its distance and verdict: same where distance < threshold."""
    same = called_same(distances, threshold)
    titles = [f"{d:.2f} {'same' if s else 'different'}" for d, s in zip(distances, same)]
    colors = [SAME if s else DIFFERENT for s in same]
    return plot_pairs(
        images_a, images_b, titles, colors, path, f"distance; same where it is < {threshold:.2f}"
    )


def plot_training_pairs(
    images_a: np.ndarray, images_b: np.ndarray, y: np.ndarray, path: str | Path
) -> Figure:
    """Pairs as the network sees them in training, with their labels."""
    return plot_pairs(
        images_a,
        images_b,
        [f"y = {k:.0f}, {'same' if k else 'different'}" for k in y],
        [SAME if k else DIFFERENT for k in y],
        path,
        "training pairs, as the network sees them",
    )


def plot_worst(
    images: np.ndarray | Rows,
    pairs: np.ndarray,
    distances: np.ndarray,
    y: np.ndarray,
    threshold: float,
    path: str | Path,
    count: int = 10,
) -> Figure:
    """The pairs that the model gets most wrong: same ones far apart, different ones near.

    Of the pairs that are given; one with the same two images as another is left out.
    """
    distances, y = np.ravel(distances), np.ravel(y)
    once = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)[1]
    order = once[np.argsort(distances[once], kind="stable")]
    same = order[y[order] == 1][::-1][: count // 2]
    different = order[y[order] == 0][: count // 2]
    worst = np.concatenate([same, different])
    return plot_pairs(
        images[pairs[worst, 0]],
        images[pairs[worst, 1]],
        [f"{distances[k]:.2f}, is {'same' if y[k] else 'different'}" for k in worst],
        [SAME if y[k] else DIFFERENT for k in worst],
        path,
        f"of {len(pairs):,} pairs the same ones furthest apart, the different ones nearest; "
        f"threshold {threshold:.2f}",
        columns=max(len(same), len(different)),
    )


def plot_ranked(
    query: np.ndarray,
    images: np.ndarray,
    distances: np.ndarray,
    threshold: float,
    path: str | Path,
) -> Figure:
    """A query and the images most like it, nearest first. uint8 (H, W, C) and (B, H, W, C)."""
    queries = np.repeat(query[None], len(images), axis=0)
    titles = [f"{rank}: {d:.2f}" for rank, d in enumerate(distances, 1)]
    colors = [SAME if same else DIFFERENT for same in called_same(distances, threshold)]
    return plot_pairs(
        queries,
        images,
        titles,
        colors,
        path,
        f"the query and what is most like it; same where the distance is < {threshold:.2f}",
    )


def plot_matrix(
    distances: np.ndarray, names: Sequence[str], threshold: float, path: str | Path
) -> Figure:
    """All distances of a folder, (N, N), as a map; the threshold is marked on its scale."""
    fig = Figure(figsize=(7, 6), layout="tight")
    ax = fig.subplots()
    most = max(float(np.max(distances)), 1.1 * threshold)  # what is the same looks it
    picture = ax.imshow(distances, cmap="cividis", vmin=0, vmax=most)
    if len(names) <= 30:
        (texts, fonts) = lettering(names)
        ax.set_xticks(range(len(texts)), texts, rotation=90, fontsize=8, fontfamily=fonts)
        ax.set_yticks(range(len(texts)), texts, fontsize=8, fontfamily=fonts)
    ax.set_title("Distances; darker = more alike")
    scale = fig.colorbar(picture, label=f"distance; the line: threshold {threshold:.2f}")
    scale.ax.axhline(threshold, color="white")
    return save(fig, path)


def check_output(path: str | Path) -> None:
    """Raise InputError where path cannot become a picture, before any work is done."""
    formats = Figure().canvas.get_supported_filetypes()
    if Path(path).suffix.lower().lstrip(".") not in formats:
        known = ", ".join(formats)
        raise InputError(
            f"Expected a picture's file name, ending in one of {known}. Received: {path}. "
            "Name another with --output."
        )
    check_writable(Path(path).parent)


def show(fig: Figure) -> None:
    """Show a figure in a window where there is a display; elsewhere do nothing."""
    import matplotlib.pyplot as plt  # here alone: it looks for a display

    if plt.get_backend().lower() == "agg":
        return
    manager = plt.figure(figsize=tuple(fig.get_size_inches())).canvas.manager
    if manager is None:
        return
    manager.canvas.figure = fig  # the window was made for an empty one
    fig.set_canvas(manager.canvas)
    plt.show()


def save(fig: Figure, path: str | Path) -> Figure:
    """Write a figure to a file, whole or not at all."""
    with whole_file(path) as new:
        fig.savefig(new, dpi=120)
    return fig
