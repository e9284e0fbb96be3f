"""Pages in a real browser without a window: Chromium alone, and no package to drive it."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
IS_REQUIRED = os.environ.get("CONTRASTIVE_BROWSER_TESTS") == "required"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--window-size=1400,900", "--dump-dom"),
    "--allow-file-access-from-files",  # the page around may look into the pages
)
# the pages in frames of a phone's and of a desk's width; what is seen at first and after clicks
AROUND = """<!doctype html><meta charset="utf-8"><pre id="states"></pre>FRAMES
<script>
function state(frame) {
  frame.style.width = "375px";
  const page = frame.contentDocument;
  const byId = (id) => page.getElementById(id);
  const texts = (parent, what) => [...parent.querySelectorAll(what)].map((x) => x.textContent);
  const live = ["threshold", "tmr", "fmr", "right"];
  const figures = () => live.map((name) => byId(`live-${name}`).textContent);
  const found = { title: page.title, first: figures(), top: texts(page, "#top dd") };
  found.table = [...page.querySelectorAll("#figures tr")].map((row) => texts(row, "th, td"));
  found.names = texts(page, "#classes th");
  byId("slider").value = Number(byId("slider").value) + 50;
  byId("slider").dispatchEvent(new frame.contentWindow.Event("input", { bubbles: true }));
  found.moved = figures();
  found.stops = [...byId("stops").children].map((button) => { button.click(); return figures(); });
  const marks = (id) => byId(id).querySelectorAll("rect, path, circle").length > 0;
  found.charts = ["histogram", "roc", "calibration"].map(marks);
  found.pictures = [...page.images].filter((image) => image.naturalWidth > 100).length;
  found.wide = page.documentElement.scrollWidth > 375;
  frame.style.width = "1280px";
  found.wide ||= page.documentElement.scrollWidth > 1280;
  return found;
}
window.onload = () => { // each frame is loaded by then
  const found = [...document.querySelectorAll("iframe")].map(state);
  document.getElementById("states").textContent = JSON.stringify(found);
};
</script>
"""


def states(folder: Path, pages: list[Path]) -> tuple[list[dict], list[str]]:
    """What is to be seen in pages at first and after clicks; and what the console says."""
    around = folder / "around.html"
    frames = "".join(f'<iframe src="{page.as_uri()}"></iframe>' for page in pages)
    around.write_text(AROUND.replace("FRAMES", frames))
    done = subprocess.run(
        [PROGRAM, *FLAGS, f"--user-data-dir={folder / 'profile'}", around.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    (found,) = re.findall(r'<pre id="states">(.*?)</pre>', done.stdout, re.S)
    return json.loads(html.unescape(found)), complaints
