"""The two numbers of a model's head, for programs that only have the encoder."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pyimagesearch.system.errors import InputError

LOW, HIGH = 0.02, 0.98  # where a sigmoid in float32 can be inverted well


def parameters(settings: dict[str, Any], distance: Callable | None, size: int) -> dict[str, Any]:
    """What the settings lack to compute what the model puts out: {} where it has no head, else
    {"head_parameters": {"weight": w, "bias": b}}.

    The model then puts out 1 / (1 + exp(-(w d + b))) of two embeddings' distance d, how different
    they are. It is found by asking: distance (SiameseModel.distance) is given embeddings of so
    many numbers (size) whose d is known, and log(p / (1 - p)) = w d + b of its answers p is
    solved by least squares. Raises InputError where there is a head and it is no such function.
    """
    if settings.get("head") in (None, "none"):
        return {}
    if distance is None:
        raise InputError(
            f"Expected the model's distance beside a head. Received: head {settings['head']}."
        )
    ask = _of_known_distance(distance, settings.get("distance"), size)
    known = _steps(settings.get("distance"))
    answers = ask(known)
    fits = (answers > LOW) & (answers < HIGH)
    if fits.sum() < 100:  # a steep one: look between the last that is near 0 or 1 and the next
        k = int(np.argmin(np.abs(answers - 0.5)))
        known = np.linspace(known[max(k - 1, 0)], known[min(k + 1, len(known) - 1)], 2000)
        answers = ask(known)
        fits = (answers > LOW) & (answers < HIGH)
    if fits.sum() >= 2:
        (chosen, p) = (known[fits], answers[fits])
        (weight, bias) = np.polyfit(chosen, np.log(p / (1 - p)), 1)
        if np.abs(1 / (1 + np.exp(-(weight * known + bias))) - answers).max() < 1e-4:
            return {"head_parameters": {"weight": float(weight), "bias": float(bias)}}
    raise InputError(
        f"Expected a head that is a sigmoid of the distance. Received: {settings['head']}, which "
        "is none to within 1e-4."
    )


def _steps(name: str | None) -> np.ndarray:
    """Distances to ask for, ascending: float64 (2000,)."""
    return np.linspace(0.001, 2, 2000) if name == "cosine" else np.geomspace(1e-3, 1e3, 2000)


def _of_known_distance(distance: Callable, name: str | None, size: int) -> Callable:
    def ask(known: np.ndarray) -> np.ndarray:
        (a, b) = (np.zeros((len(known), size), np.float32) for _ in "ab")
        if name == "cosine":  # 1 - cos of an angle
            a[:, 0] = 1
            b[:, 0] = 1 - known
            b[:, 1] = np.sqrt(1 - b[:, 0].astype(np.float64) ** 2)
        else:
            b[:, 0] = known
        return np.asarray(distance([a, b]), np.float64).ravel()

    return ask
