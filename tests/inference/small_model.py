"""A model that needs no training, and folders of digits that it tells apart.

Its embedding is the picture itself at 7x7: the means of tiles of 4x4 pixels.
"""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
from keras.layers import AveragePooling2D, Flatten, Input, Rescaling

from pyimagesearch import config
from pyimagesearch.data.datasets import load_mnist
from pyimagesearch.evaluation.distances import head_parameters
from pyimagesearch.inference import saving
from pyimagesearch.siamese_network import build_comparison

SHAPE = (28, 28, 1)


def encoder(scale: float = 1) -> keras.Model:
    """Embeddings of white are `scale`, 49 times."""
    layers = [Rescaling(scale / 255), AveragePooling2D(4), Flatten()]
    return keras.Sequential([Input(SHAPE, dtype="uint8"), *layers])


def save(
    path: Path, trained_on: np.ndarray | None = None, scale: float = 1, **settings: object
) -> Path:
    """Saves the model under `path`; threshold 0.5 lies between the classes of a folder below.

    settings: a "distance" and a "head" are built, too; the head's weight is 6, its bias -3.
    """
    network = {name: settings[name] for name in ("distance", "head") if name in settings}
    recipe = config.RECIPES["fast"].changed(embedding_dim=49, **network)
    comparison = build_comparison(recipe)
    if "head" in network:
        comparison.layers[-1].set_weights([np.array([[6]]), np.array([-3])])
        settings["head_parameters"] = head_parameters(comparison.get_weights())
    settings = {"image_shape": SHAPE, "threshold": 0.5, "recipe": "fast"} | settings
    saving.save(path, encoder(scale), comparison, settings, trained_on)
    return path


def images(classes: int = 10, each: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """One digit for each class, `each` times with other noise: uint8 (N, 28, 28, 1), labels."""
    (_, (digits, labels)) = load_mnist()
    labels = np.ravel(labels)
    first = np.array([np.flatnonzero(labels == k)[0] for k in range(classes)]).repeat(each)
    noise = np.random.default_rng(0).integers(-20, 21, (len(first), *SHAPE))
    pixels = np.clip(digits[first].reshape(-1, *SHAPE).astype(int) + noise, 0, 255)
    return pixels.astype(np.uint8), np.arange(classes, dtype=np.int32).repeat(each)


def write_folder(folder: Path, classes: int = 10, each: int = 12) -> Path:
    """The images as files, one subfolder per class: folder/7/3.png."""
    (pixels, labels) = images(classes, each)
    for k, (image, label) in enumerate(zip(pixels, labels)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / str(label) / f"{k % each}.png"), image)
    return folder


def write_pairs(folder: Path, groups: int = 6) -> Path:
    """Ready pairs of `groups` groups that share no image: 3 same and 3 different ones in each."""
    (pixels, labels) = images(groups + 1, 7)
    for group in range(groups):
        (mine, other) = (pixels[labels == group], pixels[labels == group + 1])
        for kind, seconds in (("similar", mine[1:4]), ("dissimilar", other[4:7])):
            place = folder / f"{kind}_all_images"
            place.mkdir(parents=True, exist_ok=True)
            for k in range(3):  # the first image of a group stands in all of its pairs
                cv2.imwrite(str(place / f"g{group}_{k}_first.png"), mine[0])
                cv2.imwrite(str(place / f"g{group}_{k}_second.png"), seconds[k])
    return folder


def change(model: Path, **changes: object) -> None:
    """Other settings for a model."""
    file = model / "assets.extra" / "siamese.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def answers(out: str) -> list[str]:
    """What a command says without its notes, line by line."""
    return [line for line in out.splitlines() if not line.startswith(("[INFO]", "[WARNING]"))]
