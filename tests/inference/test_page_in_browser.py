"""The page in a real browser: Chromium without a window, driven by Selenium.

Skipped where one of the two or Gradio is missing; with CONTRASTIVE_BROWSER_TESTS=required, as in
.ci/run, that is a failure.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
import small_model

from tests.scripts import ENVIRONMENT, ROOT

PROGRAMS = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
MODULES = [name for name in ("selenium", "gradio") if not importlib.util.find_spec(name)]
if missing := ", ".join(PROGRAMS + MODULES):
    if os.environ.get("CONTRASTIVE_BROWSER_TESTS") == "required":
        raise RuntimeError(f"not installed: {missing}")
    pytest.skip(f"not installed: {missing}", allow_module_level=True)

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),  # a camera
    "--window-size=1200,1000",
)
SEVEN, THREE = (ROOT / "examples" / f"image_0{k}.png" for k in (1, 2))
ODD = "<img src=x onerror='document.title=1'> ${1+1} {{value}}"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, a gallery whose class of threes has an odd name, and an empty folder `tmp`."""
    place = tmp_path_factory.mktemp("page")
    small_model.save(place / "model", threshold=1.0)
    gallery = small_model.write_folder(place / "gallery", 10, 2)
    (gallery / "3").rename(gallery / ODD)
    (place / "tmp").mkdir()
    return place


def program(place, *words):
    variables = {"CONTRASTIVE_CACHE": str(place / "cache"), "TMPDIR": str(place / "tmp")}
    return subprocess.Popen(
        [sys.executable, "-m", "pyimagesearch", *map(str, words), "--model", place / "model"],
        cwd=ROOT,
        env=ENVIRONMENT | variables | {"GRADIO_SHARE": "True", "http_proxy": "http://127.0.0.1:9"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(place, *words):
    """What a command says in JSON."""
    (out, err) = program(place, *words, "--json").communicate()
    assert out, err
    return json.loads(out)


@pytest.fixture(scope="module")
def server(place):
    """The running page and its address."""
    server = program(place, "page", "--gallery", place / "gallery", "--port", 0, "--json")
    line = server.stdout.readline()
    try:
        assert line, server.stderr.read()
        yield server, json.loads(line)["url"]
    finally:
        server.kill()
        server.communicate()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = shutil.which("chromedriver")  # named, so that Selenium fetches none
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


class Page:
    """The page as its user has it before them."""

    def __init__(self, browser, url):
        self.browser = browser
        browser.get(url)
        self.until(lambda: len(self.all(".place")) >= 2)  # another tab's come when it is opened

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def until(self, holds):
        return WebDriverWait(self.browser, 30).until(lambda _: holds())

    def drop(self, place, path):
        """Put a file into the first, second or third place for one."""
        self.all(".place")[place].find_element(By.CSS_SELECTOR, "input").send_keys(str(path))

    def button(self, place, words):
        """Press the first button of a place that has these words on it or for its name."""
        buttons = self.all(".place")[place].find_elements(By.TAG_NAME, "button")
        named = [b for b in buttons if words in f"{b.text} {b.get_attribute('aria-label')}"]
        named[0].click()

    def text(self, selector):
        """What can be read there, when there is anything."""
        return self.until(lambda: "\n".join(found.text for found in self.all(selector)).strip())


@pytest.fixture
def page(chromium, server):
    return Page(chromium, server[1])


def test_two_images_give_the_numbers_of_compare(page, place):
    page.drop(0, SEVEN)
    page.drop(1, THREE)
    (word, numbers, *_) = page.text("#compared").splitlines()
    expected = said(place, "compare", SEVEN, THREE)
    assert numbers == (
        f"distance {expected['distance']:.4f}, similarity {expected['similarity']:.3f}"
    )
    assert word == ("same" if expected["same"] else "different") == "different"
    assert f"below {expected['threshold']:.4f}" in page.text("#compared")
    # no image, letter or word came from elsewhere
    sent = [json.loads(line["message"])["message"] for line in page.browser.get_log("performance")]
    asked = [m["params"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    urls = [params["request"]["url"] for params in asked]
    own = (page.browser.current_url, "data:", "blob:", "chrome:")
    assert len(urls) > 20 and all(url.startswith(own) for url in urls)


def test_a_broken_file_is_a_sentence_beside_it_and_nothing_is_lost(page, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(SEVEN.read_bytes()[:100])
    page.drop(0, SEVEN)
    page.drop(1, broken)
    assert page.text(".wrong") == "broken.png: cannot be read (cut off)"
    assert "as the model reads it" in page.text(".read") and not page.all("#compared .answer")
    page.button(1, "Remove")
    page.until(lambda: not page.all(".wrong"))
    page.drop(1, SEVEN)  # the first one is still there
    assert page.text("#compared").splitlines()[0] == "same"


def test_who_it_is_with_the_numbers_of_identify_and_search(page, place):
    page.all("[role=tab]")[1].click()
    page.until(lambda: len(page.all(".place")) == 3)
    page.drop(2, THREE)
    found = page.text("#found")
    who = said(place, "identify", THREE, place / "gallery")
    nearest = said(place, "search", THREE, place / "gallery")
    assert found.splitlines()[0] == (who["name"] if who["known"] else "unknown")
    assert "FPIR unknown, gallery of 20" in found and who["fpir"] is None
    numbers = [
        f"distance {one['distance']:.4f}, similarity {one['similarity']:.3f}"
        for one in [*who["candidates"], *nearest["results"]]
    ]
    shown = re.findall(r"distance [\d.]+, similarity [\d.]+", found)
    assert shown == numbers and len(shown) == 10
    # its name is shown, and was not run
    assert ODD in found and page.browser.title == "Same or different?"


def test_a_picture_of_the_camera(page):
    page.button(0, "Capture from camera")
    page.until(lambda: "Access" in page.all(".place")[0].text)
    page.button(0, "Access")
    page.until(lambda: page.all(".place video"))
    page.until(lambda: page.browser.execute_script(
        "return document.querySelector('.place video').readyState") == 4)  # fmt: skip
    page.button(0, "capture photo")
    assert "in grey at 28x28" in page.text(".read")


def test_another_name_for_this_machine_gets_no_answer(server, chromium):
    from urllib.request import ProxyHandler, Request, build_opener

    opener = build_opener(ProxyHandler({}))
    opener.addheaders = []
    assert opener.open(server[1]).status == 200
    with pytest.raises(OSError, match="400"):
        opener.open(Request(server[1], headers={"Host": "elsewhere.example"}))


def test_the_port_is_taken_or_the_gallery_missing(server, place):
    for words, expected in (
        (("--port", server[1].rsplit(":", 1)[1]), "a free port"),
        (("--gallery", place / "none", "--port", 0), "no such folder"),
    ):
        refused = program(place, "page", *words)
        (_, err) = refused.communicate()
        assert refused.returncode == 2 and expected in err and len(err.splitlines()) == 1


def test_ctrl_c_ends_it_with_a_line_and_the_uploads_are_gone(page, server, place):
    (process, _) = server
    page.drop(0, SEVEN)
    page.text(".read")
    assert list((place / "tmp").rglob("image_01.png"))
    process.send_signal(signal.SIGINT)
    (_, err) = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert err.splitlines()[-1] == "[INFO] the page is closed, and what was uploaded is deleted"
    assert "WARNING" not in err and "Traceback" not in err
    assert list((place / "tmp").iterdir()) == []
