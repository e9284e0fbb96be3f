"""The README's map is the tree, and every page is reachable."""

import re

from tests.scripts import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_map_is_the_tree():
    """Every module is named under its room, and nothing is named that is not there."""
    text = README.split("## Where is what")[1].split("```")[1]
    rooms = re.split(r"^    (?=\w+/ )", text.split("\nexamples/")[0], flags=re.M)
    front = set(re.findall(r"(\w+\.py)", rooms[0]))
    package = ROOT / "pyimagesearch"
    top = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    assert front == top | {path.name for path in ROOT.glob("*.py")}
    tree = {
        folder.name: {path.stem for path in folder.glob("*.py")} - {"__init__"}
        for folder in package.iterdir()
        if (folder / "__init__.py").is_file()
    }
    assert {room.split("/")[0] for room in rooms[1:]} == set(tree)
    for room in rooms[1:]:
        words = set(re.findall(r"(?<![\w.])(\w+)(?![\w./])", room))
        missing = tree[room.split("/")[0]] - words
        assert not missing, f"{missing} are not in the README's map"


def test_links_lead_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = set()
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            in_output = target.is_relative_to(ROOT / "output")  # replaced by every run
            assert target.exists() or in_output, f"{page.name}: {link}"
            named.add(target)
    assert set((ROOT / "docs").glob("*.md")) <= named


def test_its_length():
    assert len(README.splitlines()) <= 260
