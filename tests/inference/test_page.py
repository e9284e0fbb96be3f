"""The page: what it answers, what it refuses, and what it looks like in a browser.

The part in Chromium, driven by Selenium, is skipped where one of the two is missing; with
CONTRASTIVE_BROWSER_TESTS=required, as in .ci/run, that is a failure.
"""

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import sys
from argparse import Namespace
from functools import partial
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pytest
import small_model

from pyimagesearch import SiameseModel
from pyimagesearch.inference import page
from pyimagesearch.system.terminal import InputError
from tests.scripts import ROOT, started

ODD = "<img src=x onerror='document.title=1'> ${1+1} {{value}}"
SEVEN, THREE = (ROOT / "examples" / f"image_0{k}.png" for k in (1, 2))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, a gallery whose class of threes has an odd name, and an empty folder `tmp`."""
    place = tmp_path_factory.mktemp("page")
    small_model.save(place / "model", threshold=1.0)
    gallery = small_model.write_folder(place / "gallery", 5, 3)
    (gallery / "3").rename(gallery / ODD)
    (place / "tmp").mkdir()
    return place


@pytest.fixture(scope="module")
def loaded(place):
    return SiameseModel(place / "model")


@pytest.fixture
def gallery(place, loaded, tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "cache"))
    return loaded.embed_folder(place / "gallery")


def test_two_images_and_the_numbers_of_compare(loaded, place):
    (a, b, c) = (str(place / "gallery" / name) for name in ("2/0.png", "2/1.png", "0/0.png"))
    compare = partial(page.compare, loaded)
    for other, word, sign in ((b, "same", "<"), (c, "different", ">=")):
        found = loaded.compare(a, other)
        (card, words, pictures) = page.answered(compare, a, other)
        assert f">{word}<" in card and "threshold 1.0000" in card
        far = f"distance {found.distance:.4f} {sign} threshold 1.0000"
        assert words == f"{far}, similarity {found.similarity:.3f}"
        assert (pictures[0] == loaded.read([a])[0, :, :, 0]).all() and len(pictures) == 2
    assert page.answered(compare, a, None) == (None, "", [])


def test_a_broken_file_is_a_sentence(loaded, gallery, tmp_path):
    broken = tmp_path / "cut {off}.png"
    broken.write_bytes(SEVEN.read_bytes()[:100])
    compare = partial(page.compare, loaded)
    (verdict, words, pictures) = page.answered(compare, str(SEVEN), str(broken))
    assert verdict is None and pictures == [] and "cut {off}.png: cannot be read" in words
    find = partial(page.find, loaded, gallery, 0.01)
    assert "deleted.png: cannot be opened" in page.answered(find, str(tmp_path / "deleted.png"))[1]


def test_who_it_is_and_the_nearest_classes(loaded, gallery, place, tmp_path):
    ask = partial(page.find, loaded, gallery, 0.01)
    query = tmp_path / "query.png"
    shutil.copy(place / "gallery" / ODD / "0.png", query)
    (who, sentence, nearest) = ask(str(query))
    unknown = "FPIR unknown (too few images chose the thresholds), gallery of 15 images"
    assert who == ODD and unknown in sentence  # five classes of three
    assert len(nearest) == 5 and nearest[0][1] == f"{ODD}: 1.000"  # the similarity
    small_model.cv2.imwrite(str(tmp_path / "white.png"), np.full((28, 28), 255, "uint8"))
    assert ask(str(tmp_path / "white.png"))[0] == "unknown"
    # a folder without subfolders is searched
    flat = loaded.embed_folder(place / "gallery" / "2")
    shutil.copy(place / "gallery" / "2" / "0.png", query)
    (who, _, nearest) = page.find(loaded, flat, 0.01, str(query))
    assert who is None and len(nearest) == 3 and nearest[0][1].endswith("2/0.png: 1.000")


def test_without_gradio_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r'pip install "gradio>=6,<7"$'):
        page.serve(Namespace())


@pytest.mark.slow
@pytest.mark.parametrize("host, port", [("127.0.0.1", -1), ("127.0.0.1", 70000),
                                        ("127.0.0.1", "taken"), ("no such name", 0)])  # fmt: skip
def test_a_taken_port_or_an_address_of_nobody_is_one_line(refused, host, port):
    pytest.importorskip("gradio")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if port == "taken" else port
        error = refused("page", "--host", host, "--port", port)
    assert f"a port that is free. Received: {host} and {port} (" in error


@pytest.fixture(scope="module")
def server(place):
    """The running page and its address."""
    pytest.importorskip("gradio")
    variables = {"CONTRASTIVE_CACHE": str(place / "cache"), "TMPDIR": str(place / "tmp")}
    variables |= {"GRADIO_SHARE": "True", "http_proxy": "http://127.0.0.1:9"}
    flags = ("--gallery", place / "gallery", "--port", 0, "--json", "--model", place / "model")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as where a script starts it with &
    with started("-m", "pyimagesearch", "page", *flags, **variables) as process:
        signal.signal(signal.SIGINT, before)
        yield process, json.loads(process.line)["url"]


@pytest.fixture
def browser(server, tmp_path):
    """Chromium without a window, at the page."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    missing += [] if importlib.util.find_spec("selenium") else ["selenium"]
    if missing and os.environ.get("CONTRASTIVE_BROWSER_TESTS") != "required":
        pytest.skip(f"not installed: {', '.join(missing)}")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking",
            "disable-component-update", "disable-sync", f"user-data-dir={tmp_path}"):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    # named, so that Selenium fetches none
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    browser.get(server[1])
    yield browser
    browser.quit()


@pytest.mark.slow
def test_in_a_browser(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    def until(holds):
        return WebDriverWait(browser, 30).until(lambda _: holds())

    def drop(number, path):
        places = until(lambda: browser.find_elements("css selector", "input[type=file]")[number:])
        places[0].send_keys(str(path))

    def text():
        values = "return [...document.querySelectorAll('textarea, input')].map(x => x.value)"
        body = browser.find_element("css selector", "body").text
        return "\n".join([body, *browser.execute_script(values)])

    drop(0, SEVEN)
    drop(1, THREE)
    until(lambda: re.search(r"distance [\d.]+ >= threshold [\d.]+, similarity [\d.]+", text()))
    assert "different\nthreshold 1.0000" in text()
    browser.find_elements("css selector", "[role=tab]")[1].click()
    drop(2, THREE)
    until(lambda: "FPIR unknown (too few images chose the thresholds), gallery of 15" in text())
    # its name is shown, and was not run
    until(lambda: ODD in text())
    assert browser.title == "Same or different?"
    # no image, letter or word came from elsewhere
    sent = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    urls = [x["params"]["request"]["url"] for x in sent if x["method"].endswith("WillBeSent")]
    own = (browser.current_url, "data:", "blob:", "chrome:")
    assert len(urls) > 20 and all(url.startswith(own) for url in urls)


@pytest.mark.slow
def test_it_answers_this_machine_alone_and_leaves_no_uploads(server, place):
    (process, url) = server
    opener = build_opener(ProxyHandler({}))
    # another name that leads to this machine
    with pytest.raises(OSError, match="400"):
        opener.open(Request(url, headers={"Host": "elsewhere.example"}))
    part = b"Content-Disposition: form-data; name=files; filename=a.png"
    body = b"\r\n".join([b"--x", part, b"", SEVEN.read_bytes(), b"--x--", b""])
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    opener.open(Request(f"{url}/gradio_api/upload", body, headers))
    assert list((place / "tmp").rglob("a.png"))
    process.send_signal(signal.SIGINT)
    (_, err) = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert err.splitlines()[-1] == "[INFO] the page is closed, and what was uploaded is deleted"
    assert not re.search(r"WARNING(?!\] strangers)|Traceback", err)  # which identify says
    assert list((place / "tmp").iterdir()) == []
