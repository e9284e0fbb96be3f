"""Pages in a real browser without a window: Chromium alone, and no package to drive it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--virtual-time-budget=8000", "--window-size=1400,900"),
    "--allow-file-access-from-files",  # the page around may look into the pages
)
# the pages in frames of a phone's and of a desk's width; what is seen at first and after clicks
AROUND = """<!doctype html><meta charset="utf-8"><pre id="states"></pre>
<script>
async function state(file) {
  const frame = document.createElement("iframe");
  frame.style = "width: 375px; height: 700px; border: 0";
  frame.src = file;
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; });
  const page = frame.contentDocument;
  const byId = (id) => page.getElementById(id);
  const live = ["threshold", "tmr", "fmr", "right"];
  const figures = () => live.map((name) => byId(`live-${name}`).textContent);
  const texts = (selector) => [...page.querySelectorAll(selector)].map((node) => node.textContent);
  const found = { title: page.title, first: figures(), top: texts("#top dd") };
  found.table = [...page.querySelectorAll("#figures tr")].map((row) => [...row.children].map((cell) => cell.textContent));
  found.names = texts("#classes th");
  byId("slider").value = Number(byId("slider").value) + 50;
  byId("slider").dispatchEvent(new frame.contentWindow.Event("input", { bubbles: true }));
  found.moved = figures();
  found.stops = [...byId("stops").children].map((button) => { button.click(); return figures(); });
  await Promise.all([...page.images].map((image) => image.decode()));
  found.pictures = page.images.length;
  found.wide = page.documentElement.scrollWidth > 375;
  frame.style.width = "1280px";
  found.wide ||= page.documentElement.scrollWidth > 1280;
  frame.remove();
  return found;
}
(async () => {
  const found = [];
  for (const file of FILES) found.push(await state(file));
  document.getElementById("states").textContent = JSON.stringify(found);
})();
</script>
"""


def states(folder: Path, pages: list[Path]) -> tuple[list[dict], list[str]]:
    """What is to be seen in pages at first and after clicks; and what the console says."""
    around = folder / "around.html"
    around.write_text(AROUND.replace("FILES", json.dumps([str(page) for page in pages])))
    done = subprocess.run(
        [PROGRAM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", around.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    (found,) = re.findall(r'<pre id="states">(.*?)</pre>', done.stdout, re.S)
    return json.loads(html.unescape(found)), complaints
