"""Names of classes and files as text that a figure can show."""

import logging
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import matplotlib as mpl
from matplotlib import font_manager

from pyimagesearch.system.names import printable

log = logging.getLogger(__name__)

LONGEST = 40  # characters of a name in a figure


def lettering(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names as text for a figure, and the font families to draw them with.

    A name is on one line and at most 40 characters long; a dollar sign starts no formula. A
    name that no installed font can draw becomes a number, and the log says what it stands for.
    """
    texts = [shortened(printable(name)) for name in names]
    families = fonts_for("".join(texts))
    known = frozenset().union(*(characters(family) for family in families))
    legend = {}
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
    """At most 40 characters of a name: its start and its end."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def drawable(text: str, known: frozenset[str]) -> bool:
    """Whether Matplotlib can draw a text as it is read, with fonts that have these characters.

    It sets letters one beside the other from left to right, so scripts that run from right to
    left or join their letters into others (those of India) do not come out as they are read.
    """
    return all(
        c in known
        and unicodedata.bidirectional(c) not in ("R", "AL")
        and not "\u0900" <= c <= "\u0dff"
        for c in text
    )


def fonts_for(text: str) -> list[str]:
    """Matplotlib's own font families, and installed ones that have what is missing in these."""
    families = [*mpl.rcParams["font.family"]]
    missing = set(text).difference(*(characters(family) for family in families))
    others = sorted({font.name for font in font_manager.fontManager.ttflist}) if missing else []
    for family in others:
        # these hold boxes, or pictures that Matplotlib cannot draw
        if any(word in family.lower() for word in ("last resort", "emoji")):
            continue
        if found := missing & characters(family):
            families.append(family)
            missing -= found
        if not missing:
            break
    return families


@lru_cache(maxsize=None)
def characters(family: str) -> frozenset[str]:
    """The characters that a font family has; none where it cannot be read."""
    try:
        path = font_manager.findfont(font_manager.FontProperties(family=[family]))
        return frozenset(map(chr, font_manager.get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()
