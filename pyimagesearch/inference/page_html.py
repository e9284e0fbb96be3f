"""The pieces of the page's answers, as HTML. Every text is escaped here: a name cannot run."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

THUMBNAIL = 160  # pixels of the longer side

STYLE = """
.gradio-container { width: 100%; max-width: 72rem !important; margin: 0 auto !important; }
.place img { width: 100%; height: 100%; object-fit: contain; }
.answer { font-size: 1rem; line-height: 1.5; padding: .25rem 0; overflow-wrap: anywhere; }
.answer p { margin: .25rem 0; }
.answer .verdict { font-size: 2rem; font-weight: 700; line-height: 1.2; }
.answer .yes { color: #15803d; } .dark .answer .yes { color: #4ade80; }
.answer .no { color: #b45309; } .dark .answer .no { color: #fbbf24; }
.answer .small { font-size: .875rem; color: #52525b; } .dark .answer .small { color: #a1a1aa; }
.answer .wrong { padding: .5rem .75rem; border-left: .25rem solid #b91c1c;
  background: rgba(220, 38, 38, .1); }
.answer .read, .answer li { display: flex; align-items: center; gap: .75rem; }
.answer .read img { image-rendering: pixelated; }
.answer img, .answer i { flex: none; width: 4rem; height: 4rem; object-fit: contain; margin: 0; }
.answer .meter { position: relative; height: .75rem; margin: 1rem 0 .5rem; border-radius: .375rem;
  background: linear-gradient(to right, #16a34a 0 50%, #d97706 50% 100%); }
.answer .meter span { position: absolute; top: -.25rem; width: .5rem; height: 1.25rem;
  margin-left: -.25rem; border-radius: .25rem; background: #111827; border: 1px solid #fff; }
.answer .ends { display: flex; justify-content: space-between; }
.answer .title { margin: 1.25rem 0 .25rem; font-weight: 700; }
.answer ol { list-style: none; padding: 0; margin: 0; }
.answer li { padding: .25rem 0; margin: 0; border-top: 1px solid var(--border-color-primary); }
"""


def answer(*parts: str) -> str:
    """Pieces, one below the other."""
    return f'<div class="answer">{"".join(parts)}</div>'


def text(words: str, kind: str = "") -> str:
    """A paragraph; kind: "wrong" for what the user is to mend, "small", or "verdict yes"."""
    return f'<p class="{kind}">{_plain(words)}</p>'


def meter(distance: float, threshold: float) -> str:
    """Where a distance lies between 0 and twice the threshold."""
    place = 100 * min(max(distance / max(2 * threshold, 1e-12), 0), 1)
    ends = "".join(f"<span>{word}</span>" for word in ("alike", "threshold", "different"))
    return (
        f'<div class="meter"><span style="left: {place:.1f}%"></span></div>'
        f'<div class="ends small">{ends}</div>'
    )


def read_as(pixels: np.ndarray, how: str) -> str:
    """An image as the model is given it; how: in words, as "in grey at 28x28"."""
    what = f"as the model reads it: {how}"
    return f'<p class="read small"><img alt="" src="{_source(pixels)}">{_plain(what)}</p>'


def ranking(title: str, rows: Sequence[tuple[np.ndarray | None, str, str]]) -> str:
    """A list. A row is a picture, uint8 (H, W, C) or None, a name, and what is said of it."""
    items = "".join(
        f"<li>{_thumbnail(image)}<span>{_plain(name)}<br>"
        f'<span class="small">{_plain(words)}</span></span></li>'
        for image, name, words in rows
    )
    return f'<p class="title">{_plain(title)}</p><ol>{items}</ol>'


def _thumbnail(image: np.ndarray | None) -> str:
    return "<i></i>" if image is None else f'<img alt="" src="{_source(image)}">'


def _source(image: np.ndarray) -> str:
    # the picture itself in the place of its address: nothing has to be served
    small = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _plain(words: str) -> str:
    # braces and the dollar, too: Gradio's HTML component knows templates
    for sign in "{}$":
        words = words.replace(sign, f"\0{ord(sign)};")
    return html.escape(words).replace("\0", "&#")
