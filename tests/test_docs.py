"""The README's map names what is there, and every link leads somewhere."""

import re

from tests.scripts import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ANYWHERE = re.compile(r"\]\(([^)#:]*)#?([^):]*)\)")  # [text](path#heading), but no address


def test_the_readme_names_each_room_and_each_front_file():
    map_ = PAGES[0].read_text(encoding="utf-8").split("## Read it")[1].split("```")[1]
    named = set(re.findall(r"^ *(\w+/|\w+\.py)", map_, flags=re.M)) - {"pyimagesearch/"}
    package = ROOT / "pyimagesearch"
    front = {path.name for path in [*ROOT.glob("*.py"), *package.glob("[!_]*.py")]}
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert named == front | rooms


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
