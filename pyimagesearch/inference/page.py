"""A page in the browser that shows a model at work: compare two images, find one in a folder.

Gradio, an extra, serves it, to this machine alone unless another address is asked for. Uploads
lie in a temporary folder that is removed when the server ends, each after an hour at the latest.
Names of files and classes stand only where Gradio shows text as it is, never HTML.
"""

import argparse
import ipaddress
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.evaluation.pictures import DIFFERENT, SAME
from pyimagesearch.inference.commands import VERDICT, in_words, load, say, sentence
from pyimagesearch.inference.gallery import Gallery
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system import terminal
from pyimagesearch.system.terminal import InputError, printable

TITLE = "Same or different?"
TOP = 5  # classes and images that are shown
THUMBNAIL = images.WholeShape((160, 160, 3))
DIGITS = Path(__file__).parents[2] / "examples"  # not there where pip has installed the package
NO_GALLERY = """This tab finds an image among others. Start the page with a folder to look in:
`python -m pyimagesearch page --gallery DIR`. With a subfolder for each person or thing it says
who or what an image shows; without subfolders it shows the images that are most alike."""
# the distance is a mark on a scale from 0 to twice the threshold
CARD = f"""<div style="padding: 0 1em; text-align: center"><b style="font-size: 1.6em; color: white;
    padding: 0.1em 0.6em; border-radius: 0.3em; background: {{colour}}">{{word}}</b>
  <div style="margin-top: 1em; background: linear-gradient(90deg, {SAME} 50%, {DIFFERENT} 50%)">
    <div style="margin-left: {{place:.1f}}%; width: 6px; height: 1.6em; background: currentColor;
      outline: 2px solid white"></div></div>
  threshold {{threshold:.4f}}: same below, different above</div>"""


def serve(args: argparse.Namespace) -> None:
    """Load the model and the gallery, then serve the page until Ctrl-C or SIGTERM."""
    with tempfile.TemporaryDirectory(prefix="contrastive-") as uploads:
        # Gradio reads these as it is imported. no_proxy: it asks its own server whether that is up
        os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": uploads}
        os.environ["no_proxy"] = "*"
        try:
            import gradio as gr
            import starlette.middleware
            from starlette.middleware.trustedhost import TrustedHostMiddleware
        except ImportError:
            raise InputError("Gradio", 'none installed. pip install "gradio>=6,<7"') from None
        try:
            with socket.create_server((args.host, args.port)) as free:
                (host, port) = free.getsockname()  # a port for 0, too
        except (OSError, OverflowError) as error:
            wanted = "--host and --port of this machine, a port that is free"
            raise InputError(wanted, f"{printable(args.host)} and {args.port} ({error})") from None
        model = load(args)
        gallery = args.gallery and model.embed_folder(args.gallery, args.class_level)
        page = build(gr, model, gallery, args)
        allowed = [host, "localhost"]  # a page elsewhere whose name leads here gets no answer
        if not ipaddress.ip_address(host).is_loopback:
            terminal.warn("open to everybody who can reach this machine, without a password")
            allowed = ["*"]
        guard = starlette.middleware.Middleware(TrustedHostMiddleware, allowed_hosts=allowed)
        url = f"http://{socket.gethostname() if host == '0.0.0.0' else host}:{port}"
        # it comes with Gradio, whose default theme fetches one
        font: Any = [gr.themes.LocalFont("Source Sans Pro"), "sans-serif"]
        look = {"theme": gr.themes.Default(font=font), "footer_links": [], "quiet": True}
        at = {"server_name": host, "server_port": port, "app_kwargs": {"middleware": [guard]}}
        off = dict.fromkeys(("share", "run_history", "enable_monitoring"), False)
        for ending in (signal.SIGINT, signal.SIGTERM):  # a script's & has the first ignored
            signal.signal(ending, signal.default_int_handler)
        try:
            page.launch(max_file_size="50mb", prevent_thread_lock=True, **at, **look, **off)
            say(args, {"url": url}, f"the page: {url} until Ctrl-C")
            threading.Event().wait()
        except KeyboardInterrupt:
            page.close(verbose=False)
    terminal.say("the page is closed, and what was uploaded is deleted")


def answered(question: Callable[..., tuple], *uploads: str | None) -> tuple:
    """What a question makes of uploads: nothing until all are there, or why it cannot."""
    try:
        return question(*uploads) if all(uploads) else (None, "", [])
    except InputError as error:
        return None, str(error), []


def compare(model: SiameseModel, a: str, b: str) -> tuple:
    """Two uploads -> (verdict as HTML, the numbers of compare, both as the model reads them)."""
    (found, pixels) = (model.compare(a, b), model.read([a, b]))
    place = 50 * found.distance / max(found.threshold, 1e-12)  # the threshold is at 50 %
    colour = SAME if found.same else DIFFERENT
    card = CARD.format(word=VERDICT[found.same], colour=colour, place=np.clip(place, 0, 99),
                       threshold=found.threshold)  # fmt: skip
    return card, in_words(found)[1], list(pixels[..., 0] if pixels.shape[3] == 1 else pixels)


def find(model: SiameseModel, gallery: Gallery, fpir: float, file: str) -> tuple:
    """An upload -> (who it is, the same in a sentence, the nearest classes, else images)."""
    if any(gallery.classes):
        answer = model.identify(file, gallery, fpir, TOP)
        (who, text, found) = (answer.name or "unknown", sentence(answer), answer.candidates)
    else:
        (who, text, found) = (None, "", model.search(file, gallery, TOP).results)
    shown = [images.read_image(one.file, THUMBNAIL) for one in found]
    words = [f"{printable(str(one.get('name', one.file)))}: {in_words(one)[0]}" for one in found]
    return who and printable(who), text, list(zip(shown, words))


def examples(model: SiameseModel, gallery: Gallery | None) -> list[list[str]]:
    """Three pairs to try: of the gallery, else, for a model of MNIST's digits, of examples/."""
    digits = [os.fspath(DIGITS / f"image_{k:02}.png") for k in (1, 9, 2)]  # a 7, a 7, a 3
    if gallery:
        digits = [str(gallery.path(row)) for row in (0, 1 % len(gallery.names), -1)]
    elif model.settings.get("dataset") != "mnist" or not os.path.exists(digits[0]):
        return []
    return [digits[:2], digits[1:], digits[::2]]


def build(gr: Any, model: SiameseModel, gallery: Gallery | None, args: argparse.Namespace) -> Any:
    """The page as a gradio.Blocks. gr: the module gradio."""
    event = {"api_visibility": "private", "show_progress": "hidden"}
    look = {"object_fit": "contain", "height": 250}

    def place(label):
        # a camera's picture is not mirrored: a mirrored letter would be another one
        camera = gr.WebcamOptions(mirror=False)
        # so narrow that two stand side by side on a phone
        size = {"height": 260, "min_width": 120}
        image = gr.Image(label=label, type="filepath", webcam_options=camera, **size)
        # Gradio would open the file to convert it, and fail on a broken one
        image.preprocess = lambda upload: upload and upload.path
        return image

    with gr.Blocks(title=TITLE, delete_cache=(300, 3600)) as page:
        gr.Markdown(f"# {TITLE}\nThe model reads images {images.described(model.image_shape)}.")
        with gr.Tab("Compare two"):
            with gr.Row():
                with gr.Column(scale=2), gr.Row():
                    both = [place("One image"), place("Another one")]
                with gr.Column():
                    shown = [gr.HTML(), gr.Textbox(label="in numbers")]
                    shown.append(gr.Gallery(label="as the model reads them", columns=2, **look))
            if pairs := examples(model, gallery):
                gr.Examples(pairs, both, label="Try these")
            gr.on([one.change for one in both], partial(answered, partial(compare, model)), both,
                  shown, **event)  # fmt: skip
        with gr.Tab("Who or what is it?"):
            if not gallery:
                gr.Markdown(NO_GALLERY)
                return page
            with gr.Row():
                image = place("An image")
                with gr.Column():
                    shown = [gr.Label(label="it is"), gr.Textbox(label="in words")]
            shown.append(gr.Gallery(label="nearest to it", columns=TOP, **look))
            ask = partial(answered, partial(find, model, gallery, args.fpir))
            image.change(ask, image, shown, **event)
    return page
