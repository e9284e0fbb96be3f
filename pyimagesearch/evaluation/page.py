"""report.html: what a training has given, in one file that a browser opens without a network.

The page itself, its style and its program lie in report_page/; here is what they are given,
one JSON object, whose size is bounded whatever the data. Names of classes and files are only
ever text in it: "<" is written \\u003c, the program makes text nodes of them, and the page's
Content-Security-Policy lets nothing run but that program, and nothing be fetched.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation import page_pictures, page_texts
from pyimagesearch.evaluation.page_texts import setting_rows, short
from pyimagesearch.evaluation.thumbnails import thumbnails
from pyimagesearch.system.files import whole_file

PARTS = Path(__file__).with_name("report_page")
SCRIPTS = ("parts.js", "threshold.js", "map.js", "page.js")  # one program, in this order
OF_PARTS = ("parts", "images")  # settings that are shown elsewhere or say nothing to a reader
OF_RUN = ("epochs_run", "training_seconds", "parameters", "versions")


def write(
    path: str | Path,
    content: Mapping[str, Any],
    history: Mapping[str, Sequence[float]],
    test: ImageSet,
    embeddings: np.ndarray,
    distances: np.ndarray,
    different: np.ndarray,
    notes: Sequence[str] = (),
) -> None:
    """Write report.html, whole or not at all; always under 5 MB.

    content: what metrics.json holds; the page's figures are taken from it. history: of fit.
    test: the images, with pairs. embeddings: (N, D), of them. distances: (B, 1) or (B,), of
    their pairs. different: (M,), the distances that the operating points' FMR rests on.
    notes: sentences on the data that a reader of the figures must know.
    """
    settings = content["settings"]
    threshold = settings["threshold"]
    (indices, y) = (test.drawn.indices(), test.drawn.labels().ravel())
    distances = np.ravel(distances)
    chosen = page_pictures.pairs_to_show(indices, distances, y, threshold)
    (on_map, places, share) = page_pictures.map_of(embeddings)
    (rows, numbers) = np.unique(
        np.concatenate([indices[chosen["all"]].ravel(), on_map]), return_inverse=True
    )
    of_pairs, of_map = np.split(numbers, [2 * len(chosen["all"])])
    known = {"same": distances[y == 1], "different": distances[y == 0], "all": different}
    points = {r: t for r, t in settings.get("operating_points", {}).items() if t is not None}
    stops = [threshold, *points.values()]
    values = {
        "title": short(f"Recipe {settings.get('recipe')} on {settings.get('dataset')}", 120),
        "summary": page_texts.summary(content["test"], threshold),
        "notes": [short(note, 1000) for note in (*notes, *page_texts.warnings(content))],
        "basis": page_texts.basis(content["test"]),
        "figures": page_texts.figure_rows(content),
        "history": page_texts.epochs(history),
        "threshold": threshold,
        "points": points,
        "fmr_images": content["test"]["fmr_images"],
        "steps": {kind: page_pictures.steps(np.sort(d), stops) for kind, d in known.items()},
        "pairs": [
            [int(a), int(b), float(distances[k]), int(y[k])]
            for (a, b), k in zip(of_pairs.reshape(-1, 2), chosen["all"])
        ],
        "worst": {kind: chosen[kind] for kind in ("same", "different")},
        "map": {"thumbs": of_map, "places": places, "share": share},
        "thumbnails": thumbnails(test.images, rows),
        "classes": page_texts.class_rows(content.get("classes")),
        "settings": setting_rows({k: v for k, v in settings.items() if k not in OF_PARTS}),
        "parts": setting_rows(content["parts"]),
        "run": setting_rows({k: content.get(k) for k in OF_RUN}),
        **page_pictures.names_of(test, rows),
    }
    with whole_file(path) as new:
        Path(new).write_text(page(values), encoding="utf-8", newline="\n")


def page(values: Mapping[str, Any]) -> str:
    """The page around its data, as HTML. What JSON has no word for, as NaN, becomes null."""
    style = (PARTS / "page.css").read_text(encoding="utf-8")
    script = "\n".join((PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    html = (PARTS / "page.html").read_text(encoding="utf-8")
    data = json.dumps(page_texts.plain(values), separators=(",", ":"), allow_nan=False)
    filled = {
        "{{style-hash}}": _digest(style),
        "{{script-hash}}": _digest(script),
        "{{style}}": style,
        "{{script}}": script,
        "{{data}}": data.replace("<", "\\u003c"),  # last: nothing is filled in inside of it
    }
    for place, text in filled.items():
        html = html.replace(place, text)
    return html


def _digest(text: str) -> str:
    # as a Content-Security-Policy names a script or a style
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
