"""Names of classes and files as text that a figure can show."""

import logging
import unicodedata
from collections.abc import Sequence
from functools import cache

import matplotlib as mpl
from matplotlib import font_manager

from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)

LONGEST = 30  # characters of a name in a figure
# older ones set letter beside letter from left to right, which is wrong in many scripts
SHAPES_TEXT = mpl.__version_info__ >= (3, 11)


def lettering(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names as text for a figure, and the font families to draw them with.

    A name is on one line and at most 30 characters long; a dollar sign starts no formula. A
    name that no installed font can draw becomes a number, and the log says what it stands for.
    """
    texts = [shortened(printable(name)) for name in names]
    families = fonts_for("".join(texts))
    known = frozenset().union(*(characters(family) for family in families))
    legend: dict[str, str] = {}
    for k, text in enumerate(texts):
        if drawable(text, known):
            texts[k] = text.replace("$", r"\$")
        else:
            texts[k] = legend.setdefault(text, f"#{len(legend) + 1}")
    if legend:
        meanings = ", ".join(f"{number} = {text}" for text, number in legend.items())
        log.info("in the figures: %s", meanings)
    return texts, families


def shortened(name: str) -> str:
    """At most 30 characters of a name: its start and its end."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def drawable(text: str, known: frozenset[str]) -> bool:
    """Whether this Matplotlib can draw a text with fonts that have the characters in `known`."""
    return known.issuperset(text) and (SHAPES_TEXT or not any(map(_is_shaped, text)))


def _is_shaped(c):
    # of a script that runs from right to left, or whose letters melt into others, as in India
    return unicodedata.bidirectional(c) in ("R", "AL") or "\u0900" <= c <= "\u0dff"


def fonts_for(text: str) -> list[str]:
    """Matplotlib's own font families, and installed ones that have what is missing in these."""
    families = [*mpl.rcParams["font.family"]]
    missing = set(text).difference(*(characters(family) for family in families))
    # not slanted or bold ones, and none that hold boxes or pictures, which Matplotlib cannot draw
    others = {
        font.name
        for font in (font_manager.fontManager.ttflist if missing else ())
        if (font.style, font.weight) == ("normal", 400)
        and not any(word in font.name.lower() for word in ("last resort", "emoji"))
    }
    for family in sorted(others):
        if found := missing & characters(family):
            families.append(family)
            missing -= found
        if not missing:
            break
    return families


@cache
def characters(family: str) -> frozenset[str]:
    """The characters that a font family has; none where it cannot be read."""
    try:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]))
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()
