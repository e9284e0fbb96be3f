"""Every link of the pages leads somewhere, and the tutorial shows the code as it is."""

import inspect
import json
import re

import pytest

from pyimagesearch import build_siamese_model, metrics, utils
from tests.scripts import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ANYWHERE = re.compile(r"\]\(([^)#:]*)#?([^):]*)\)")  # [text](path#heading), but no address


def test_links_lead_somewhere():
    named = set()
    for page in PAGES:
        for path, heading in ANYWHERE.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / path).resolve() if path else page
            named.add(target)
            if target.is_relative_to(ROOT / "output"):  # replaced by every run
                continue
            assert target.exists(), f"{page.name}: {path}"
            assert not heading or heading in headings(target), f"{page.name}: {path}#{heading}"
    assert set(PAGES) <= {*named, PAGES[0]}


def headings(page):
    """The headings of a page as GitHub writes them in a link: "A b: c?" -> "a-b-c"."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize(
    "function",
    [utils.make_pairs, utils.euclidean_distance, metrics.contrastive_loss, build_siamese_model],
)
def test_the_tutorial_shows_the_source_as_it_is(function):
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ["".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", ())]
    assert inspect.getsource(function) in [text.rstrip() + "\n" for text in texts]
