"""Figures: pairs of images with their distances."""

# import the necessary packages
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from pyimagesearch.files import whole_file

# two colours that the colour-blind tell apart
SAME, DIFFERENT = "#0072B2", "#D55E00"


def plot_pairs(imagesA, imagesB, distances, threshold, path):
    """All pairs in one figure, each under its distance and verdict. Saved to path.

    imagesA, imagesB: uint8 (B, H, W, C). distances: (B,). Same: distance < threshold.
    """
    columns = min(5, len(distances))
    rows = -(-len(distances) // columns)
    (fig, axes) = plt.subplots(
        rows, columns, figsize=(2.2 * columns, 1.55 * rows + 0.5), squeeze=False, layout="tight"
    )
    fig.suptitle(f"same where distance < {threshold:.2f}", fontsize=11)
    for ax in axes.flat:
        ax.axis("off")
    for ax, imageA, imageB, distance in zip(axes.flat, imagesA, imagesB, distances, strict=False):
        gap = np.full((imageA.shape[0], max(imageA.shape[1] // 14, 1), imageA.shape[2]), 255, "uint8")
        pair = np.concatenate([imageA, gap, imageB], axis=1)
        ax.imshow(pair.squeeze(), cmap="gray", vmin=0, vmax=255)
        verdict, color = ("same", SAME) if distance < threshold else ("different", DIFFERENT)
        ax.set_title(f"{distance:.2f} {verdict}", fontsize=10, color=color)
    with whole_file(path) as new:
        fig.savefig(new, dpi=120)


def check_format(path):
    """Raise ValueError where path's ending is no picture format, before any work is done."""
    formats = plt.gcf().canvas.get_supported_filetypes()
    plt.close()
    if Path(path).suffix.lower().lstrip(".") not in formats:
        raise ValueError(
            f"Expected a file ending in one of {', '.join(formats)}. Received: {path}."
        )


def show():
    """Show the open figures where there is a display; elsewhere do nothing."""
    if plt.get_backend().lower() != "agg":
        plt.show()
