"""The texts and tables of report.html, each figure written as the terminal writes it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pyimagesearch.data.rows import evenly
from pyimagesearch.evaluation.intervals import LEAST_UNITS, Figure

MOST_CLASSES = 1000
MOST_EPOCHS = 500
MOST_SETTINGS = 150  # rows of a table of them
LONGEST = 40  # characters of a name
SHARES = {  # keys in metrics.json, and what they are called
    "accuracy": ("Right at the threshold", 2),
    "balanced_accuracy": ("Balanced accuracy", 2),
    "auc": ("AUC", 3),
    "eer": ("Equal error rate", 2),
}
RETRIEVAL = {
    "recall_at_1": "Recall@1",
    "recall_at_5": "Recall@5",
    "recall_at_10": "Recall@10",
    "r_precision": "R-precision",
    "map_at_r": "mAP@R",
}


def summary(test: Mapping[str, Any], threshold: float) -> str:
    """The last line that a training prints. test: of metrics.json."""
    right = f"{test['accuracy']['value']:.2%} of {test['pairs']} test pairs right"
    return f"{right}, calling them the same where distance < {threshold:.3f}"


def warnings(content: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on what makes the figures worthless. content: metrics.json's."""
    if content["test"].get("collapsed"):
        yield "The network has collapsed: all distances are alike."
    raw = content.get("raw_pixels")
    if raw and raw["auc"]["value"] > content["test"]["auc"]["value"]:
        yield "The network does not beat the raw pixels: their AUC is higher."


def basis(test: Mapping[str, Any]) -> str:
    """What the figures and their intervals rest on. test: of metrics.json."""
    text = f"{test['pairs']} pairs of {test['images']} images, "
    if test["units"] < LEAST_UNITS:
        return text + f"no interval: fewer than {LEAST_UNITS} {test['unit']} ({test['units']})"
    over = "" if test["unit"] == "images" else f" over {test['units']} {test['unit']}"
    return text + f"95 % intervals{over}"


def figure_rows(content: Mapping[str, Any]) -> list[list[str]]:
    """Of each figure its name, what the network has and what the raw pixels have, as text.

    content: metrics.json's; figures of retrieval and identification are taken where it has them.
    """
    (test, raw) = (content["test"], content.get("raw_pixels") or {})
    rows = [
        [name, *(_share(of.get(key), digits) for of in (test, raw))]
        for key, (name, digits) in SHARES.items()
    ]
    if (half := test.get("accuracy_at_half")) is not None:
        rows.insert(1, ["Right at 0.5", f"{100 * half:.2f} %", ""])
    for rate in test["operating_points"]:
        percent = f"{100 * float(rate):g} % FMR"
        others = [(of.get("operating_points") or {}).get(rate) for of in (test, raw)]
        rows.append([f"TMR at {percent}", *map(_true_matches, others)])
        if any(others):
            here = [Figure(**p["fmr"]).rate() if p else "" for p in others]
            rows.append([f"FMR here, for {percent}", *here])
    retrieval = test.get("retrieval") or content.get("retrieval") or {}
    of_raw = raw.get("retrieval") or {}
    for key, name in RETRIEVAL.items():
        if key in retrieval:
            rows.append([name, _share(retrieval[key]), _share(of_raw.get(key))])
    for rate, points in (content.get("identification") or {}).items():
        if points:
            rows += _of_largest_gallery(f"{100 * float(rate):g} % FPIR", points[-1])
    return rows


def _of_largest_gallery(percent: str, point: Mapping[str, Any]) -> list[list[str]]:
    (fnir, fpir) = (Figure(**point[name]).rate() for name in ("fnir", "fpir"))
    size = f"where distance < {point['threshold']:.3f}, gallery of {point['gallery_size']}"
    return [[f"FNIR at {percent}", f"{fnir} {size}", ""], [f"FPIR here, for {percent}", fpir, ""]]


def _share(figure: Mapping[str, Any] | None, digits: int = 2) -> str:
    return Figure(**figure).percent(digits) if figure else ""


def _true_matches(point: Mapping[str, Any] | None) -> str:
    if not point:
        return "not enough pairs to calibrate"
    return f"{_share(point['tmr'])} where distance < {point['threshold']:.3f}"


def epochs(history: Mapping[str, Sequence[float]]) -> dict[str, list]:
    """The figures of each epoch, of up to 500 of them, with the epoch's number from 1.

    history: of fit. A figure that is left out in an epoch leaves that epoch out.
    """
    count = min(map(len, history.values()), default=0)
    shown = evenly(count, MOST_EPOCHS).tolist() if count else []
    columns = {name: [_six(values[k]) for k in shown] for name, values in history.items()}
    return {"epoch": [k + 1 for k in shown], **columns}


def class_rows(classes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The figures of each class, those first of which the fewest same pairs are found.

    classes: of metrics.json, or None. "rows": name, images, TMR, its text, FMR, its text; of up
    to 1,000 classes. "count": how many there are. "confused": two names and a share, as text.
    """
    if classes is None:
        return None
    figures = classes["figures"]
    by_tmr = sorted(figures, key=lambda c: c["tmr"]["value"] if c["tmr"] else math.inf)
    rows = [
        [
            short(c["name"]),
            c["images"],
            c["tmr"] and c["tmr"]["value"],
            _share(c["tmr"]),
            c["fmr"] and c["fmr"]["value"],
            Figure(**c["fmr"]).rate() if c["fmr"] else "",
        ]
        for c in by_tmr[:MOST_CLASSES]
    ]
    confused = [[*map(short, c["classes"]), f"{100 * c['fmr']:.3g} %"] for c in classes["confused"]]
    return {"rows": rows, "count": len(figures), "confused": confused}


def setting_rows(values: Mapping[str, Any]) -> list[list[str]]:
    """Names and texts of up to 150 values; what lies deeper is named "training: epochs"."""
    rows: list[list[str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += [[f"{name}: {inner}", text] for inner, text in setting_rows(value)]
        else:
            text = value if isinstance(value, str) else json.dumps(plain(value))
            rows.append([str(name), text])
    return [[short(name), short(text, 3 * LONGEST)] for name, text in rows[:MOST_SETTINGS]]


def short(text: str, longest: int = LONGEST) -> str:
    """At most so many characters of a text: its start and its end."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[: half - 1]}…{text[-half:]}"


def plain(value: Any) -> Any:
    """The value in words of JSON: None for NaN and infinity, lists for arrays."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _six(value: float) -> float:
    return float(f"{float(value):.6g}")
