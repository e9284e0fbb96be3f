"""Pages in a real browser without a window: Chromium alone, and no package to drive it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--virtual-time-budget=8000", "--window-size=1000,900"),
    "--allow-file-access-from-files",  # the page around may look into the pages
)
# the pages in frames of a phone's width; what is done in each, and what is then to be seen
AROUND = """<!doctype html><meta charset="utf-8"><title>around</title><pre id="states"></pre>
<script>
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
async function state(file) {
  const frame = document.createElement("iframe");
  frame.style = "width: 375px; height: 700px";
  frame.src = file;
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; });
  await wait(150);
  const page = frame.contentDocument;
  const byId = (id) => page.getElementById(id);
  const found = { title: page.title, drawn: [] };
  const figures = () => Object.fromEntries(["threshold", "tmr", "fmr", "accuracy"]
    .map((name) => [name, Number(byId(`live-${name}`).dataset.value)])
    .concat([["changes", Number(byId("changes").dataset.value)]]));
  const tell = (node, kind, more) => node.dispatchEvent(new frame.contentWindow[kind](...more));
  found.first = figures();
  const slider = byId("slider");
  slider.value = Number(slider.value) + 150;
  tell(slider, "Event", ["input", { bubbles: true }]);
  await wait(50);
  found.moved = figures();
  const buttons = byId("stops").children;
  buttons[buttons.length > 1 ? 1 : 0].click();
  await wait(50);
  found.at_point = figures();
  buttons[0].click();
  await wait(50);
  found.back = figures();
  for (const name of ["loss", "histogram", "map"]) {
    if (byId(name).querySelector("svg circle, svg rect")) found.drawn.push(name);
  }
  for (const key of ["ArrowRight", "ArrowDown"]) {
    tell(byId("map"), "KeyboardEvent", ["keydown", { key, bubbles: true }]);
  }
  found.said = byId("map-said").textContent;
  const canvas = page.querySelector("#map canvas");
  await wait(50);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  found.pictured = pixels.some((value, k) => k % 4 === 3 && value);
  const heads = () => [...page.querySelectorAll("#classes tbody th")];
  const names = () => heads().map((name) => name.textContent);
  const sort = () => page.querySelector("#classes thead button")?.click(); // by name
  sort();
  found.names = names();
  sort();
  found.names_down = names();
  found.settings = byId("settings").rows.length;
  found.wide = page.documentElement.scrollWidth > 375;
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
    """What is to be seen in pages at first, after keys and clicks; and what the console says."""
    around = folder / "around.html"
    around.write_text(AROUND.replace("FILES", json.dumps([page.name for page in pages])))
    done = subprocess.run(
        [PROGRAM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", around.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        encoding="utf-8",
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    (found,) = re.findall(r'<pre id="states">(.*?)</pre>', done.stdout, re.S)
    return json.loads(html.unescape(found)), complaints
