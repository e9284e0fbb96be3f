"""A page in the browser that shows a model at work: compare two images, find one in a folder.

Gradio, an extra, serves it, to this machine alone unless another address is asked for. Uploads
lie in a temporary folder that is removed when the server ends, each after an hour at the latest.
Names of files and classes stand only where Gradio shows text as it is, never HTML.
"""

import argparse
import ipaddress
import logging
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from pyimagesearch.data import images
from pyimagesearch.inference.commands import VERDICT, load, say, sentence
from pyimagesearch.inference.gallery import Gallery
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.system.errors import InputError, printable

log = logging.getLogger(__name__)

TITLE = "Same or different?"
TOP = 5  # classes and images that are shown
NUMBERS = "distance {distance:.4f}, similarity {similarity:.3f}"
THUMBNAIL = images.WholeShape((160, 160, 3))


def serve(args: argparse.Namespace) -> None:
    """Load the model and the gallery, then serve the page until Ctrl-C or SIGTERM."""
    # what is sent, shared and opened is decided here, not by variables of the machine; and
    # Gradio asks itself whether it has started, which no proxy can answer
    for name in list(os.environ):
        if name.startswith("GRADIO_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with tempfile.TemporaryDirectory(prefix="contrastive-") as uploads:
        os.environ["GRADIO_TEMP_DIR"] = uploads  # read as Gradio is imported
        try:
            import gradio as gr
        except ImportError:
            advice = 'pip install "gradio>=6,<7"'
            raise InputError(f"Expected Gradio. Received: none installed. {advice}") from None
        try:
            with socket.create_server((args.host, args.port)) as free:
                (host, port) = free.getsockname()  # a port for 0, too
        except (OSError, OverflowError) as error:
            received = f"{printable(args.host)} and {args.port} ({error})"
            wanted = "--host and --port of this machine, a port that is free"
            raise InputError(f"Expected {wanted}. Received: {received}.") from None
        model = load(args)
        gallery = args.gallery and model.embed_folder(args.gallery, args.class_level)
        page = build(gr, model, gallery, args)
        app = {}
        if ipaddress.ip_address(host).is_loopback:
            # a page elsewhere whose name is made to lead here gets no answer
            from starlette.middleware import Middleware
            from starlette.middleware.trustedhost import TrustedHostMiddleware

            allowed = [host, "localhost"]
            app["middleware"] = [Middleware(TrustedHostMiddleware, allowed_hosts=allowed)]
        else:
            log.warning("open to everybody who can reach this machine, without a password")
        url = f"http://{socket.gethostname() if host == '0.0.0.0' else host}:{port}"
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            page.launch(
                server_name=host,
                server_port=port,
                # a font that comes with Gradio: its default theme fetches one
                theme=gr.themes.Default(font=[gr.themes.LocalFont("Source Sans Pro")]),
                max_file_size="50mb",
                footer_links=[],
                quiet=True,
                prevent_thread_lock=True,
                app_kwargs=app,
                **dict.fromkeys(("share", "run_history", "enable_monitoring"), False),
            )
            say(args, {"url": url}, f"the page: {url} until Ctrl-C")
            threading.Event().wait()
        except KeyboardInterrupt:
            page.close(verbose=False)
    log.info("the page is closed, and what was uploaded is deleted")


def answered(question: Callable[..., tuple], *uploads: str | None) -> tuple:
    """What a question makes of uploads: nothing until all are there, or why it cannot."""
    try:
        return question(*uploads) if all(uploads) else (None, "", [])
    except InputError as error:
        return None, str(error), []


def compare(model: SiameseModel, a: str, b: str) -> tuple:
    """Two uploads -> (verdict, the numbers of compare, both as the model reads them)."""
    (found, pixels) = (model.compare(a, b), model.read([a, b]))
    limit = f"same where the distance is below {found['threshold']:.4f}"
    shown = list(pixels[..., 0] if pixels.shape[3] == 1 else pixels)
    return VERDICT[found["same"]], f"{NUMBERS.format(**found)}; {limit}", shown


def find(model: SiameseModel, gallery: Gallery, fpir: float, file: str) -> tuple:
    """An upload -> (who it is, the same in a sentence, the nearest classes, else images)."""
    if any(gallery.classes):
        answer = model.identify(file, gallery, fpir, TOP)
        (who, text) = (printable(answer["name"] or "unknown"), sentence(answer))
        found = answer["candidates"]
    else:
        (who, text, found) = (None, "", model.search(file, gallery, TOP)["results"])
    shown = [images.read_image(one["file"], THUMBNAIL) for one in found]
    words = [f"{printable(one.get('name', one['file']))}: {NUMBERS.format(**one)}" for one in found]
    return who, text, list(zip(shown, words))


def build(
    gr: ModuleType, model: SiameseModel, gallery: Gallery | None, args: argparse.Namespace
) -> Any:
    """The page as a gradio.Blocks. gr: the module gradio."""
    event = {"api_visibility": "private", "show_progress": "hidden"}
    # two images are not twice as large as five
    look = {"columns": TOP, "height": 240, "object_fit": "contain", "fit_columns": False}

    def place(label):
        # a camera's picture is not mirrored: a mirrored letter would be another one
        camera = gr.WebcamOptions(mirror=False)
        image = gr.Image(label=label, type="filepath", height=320, webcam_options=camera)
        # Gradio would open the file to convert it, and fail on a broken one
        image.preprocess = lambda upload: upload and upload.path
        return image

    with gr.Blocks(title=TITLE, delete_cache=(300, 3600)) as page:
        gr.Markdown(f"# {TITLE}\nThe model reads images {images.described(model.image_shape)}.")
        with gr.Tab("Compare two"):
            with gr.Row():
                both = [place("One image"), place("Another one")]
            shown = [gr.Label(label="verdict"), gr.Textbox(label="how far apart")]
            shown.append(gr.Gallery(label="as the model reads them", **look))
            ask = partial(answered, partial(compare, model))
            gr.on([one.change for one in both], ask, both, shown, **event)
        if gallery:
            with gr.Tab("Who or what is it?"):
                image = place("An image")
                shown = [gr.Label(label="it is"), gr.Textbox(label="in words")]
                shown.append(gr.Gallery(label="nearest to it", **look))
                ask = partial(answered, partial(find, model, gallery, args.fpir))
                image.change(ask, image, shown, **event)
    return page
