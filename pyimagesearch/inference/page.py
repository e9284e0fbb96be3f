"""A page in the browser that shows a model at work: compare two images, find one in a folder.

Gradio, an extra, serves it, to this machine alone unless another address is asked for. Uploads
lie in a temporary folder that is removed when the server ends, each after an hour at the latest.
Names of files and classes stand only where Gradio shows text as it is, never HTML.
"""

import argparse
import ipaddress
import json
import logging
import os
import signal
import socket
import tempfile
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.inference.answers import VERDICT, identified, load
from pyimagesearch.inference.gallery import Gallery, embed_folder, most_like
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
            raise InputError(
                'Expected Gradio for the page. Received: none installed. pip install "gradio>=6,<7"'
            ) from None
        (host, port) = free_address(args.host, args.port)
        (model, threshold) = load(args)
        gallery = embed_folder(model, args.gallery, args.class_level) if args.gallery else None
        page = build(gr, Questions(model, threshold, args.gallery, gallery, args.fpir))
        (address, name) = (ipaddress.ip_address(host), host)
        if address.is_unspecified:
            name = socket.gethostname()
        url = f"http://{f'[{name}]' if ':' in name else name}:{port}"
        app: dict[str, Any] = {}
        if address.is_loopback:  # a page elsewhere whose name is made to lead here gets no answer
            from starlette.middleware import Middleware
            from starlette.middleware.trustedhost import TrustedHostMiddleware

            names = [host, f"[{host}]", "localhost"]
            app["middleware"] = [Middleware(TrustedHostMiddleware, allowed_hosts=names)]
        else:
            log.warning("open to everybody who can reach this machine, without a password")
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, signal.default_int_handler)
        try:
            page.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                # a font that comes with Gradio: its default theme fetches one
                theme=gr.themes.Default(font=[gr.themes.LocalFont("Source Sans Pro")]),
                max_file_size="50mb",
                footer_links=[],
                share=False,
                run_history=False,
                enable_monitoring=False,
                quiet=True,
                prevent_thread_lock=True,
                app_kwargs=app,
            )
            if args.json:
                print(json.dumps({"url": url}), flush=True)
            log.info("the page: %s until Ctrl-C", url)
            threading.Event().wait()
        except KeyboardInterrupt:
            for stop in (signal.SIGINT, signal.SIGTERM):  # a second one would leave uploads behind
                signal.signal(stop, signal.SIG_IGN)
            page.close(verbose=False)
    log.info("\nthe page is closed, and what was uploaded is deleted")


@dataclass(frozen=True)
class Questions:
    """What the page asks the model. Paths are those of uploads, None where there is none."""

    model: SiameseModel
    threshold: float
    directory: str = ""  # of the gallery
    gallery: Gallery | None = None
    fpir: float = 0.01

    def compare(self, *paths: str | None) -> tuple[str | None, str, list]:
        """Two images -> (verdict, the numbers of compare, both as the model reads them)."""
        (pixels, problems) = self._read(*paths)
        shown = [image[:, :, 0] if image.shape[2] == 1 else image for image in pixels]
        if len(pixels) < 2:
            return None, problems, shown
        feats = self.model.embed(np.stack(pixels))
        (distance,) = self.model.distance([feats[:1], feats[1:]])
        found = self.model.judge(distance, self.threshold)
        limit = f"same where the distance is below {self.threshold:.4f}"
        return VERDICT[found["same"]], f"{NUMBERS.format(**found)}; {limit}", shown

    def find(self, path: str | None) -> tuple[str | None, str, list, list]:
        """One image -> (who it is, in a sentence, the nearest classes, the nearest images)."""
        (pixels, problems) = self._read(path)
        if not pixels or self.gallery is None:
            return None, problems, [], []
        feats = self.model.embed(np.stack(pixels))
        (who, sentence, classes) = (None, "", [])
        if self.gallery.classes is not None:
            found = identified(self.model, self.gallery, feats, self.fpir, TOP)
            (who, sentence) = (found["name"] or "unknown", found["sentence"])
            for c in found["candidates"]:
                classes.append((self._thumbnail(c["image"]), f"{c['name']}: {NUMBERS.format(**c)}"))
        nearest = []
        for row, distance in zip(*most_like(self.model, feats[0], self.gallery.embeddings, TOP)):
            found = self.model.judge(distance, self.threshold)
            words = f"{NUMBERS.format(**found)}: {VERDICT[found['same']]}"
            name = printable(self.gallery.names[row])
            nearest.append((self._thumbnail(row), f"{name}: {words}"))
        return who, sentence, classes, nearest

    def _read(self, *paths: str | None) -> tuple[list[np.ndarray], str]:
        # images as training reads them, and a line for each that cannot be read
        (pixels, problems) = ([], [])
        for path in filter(None, paths):
            try:
                pixels.append(images.read_image(path, self.model.image_shape))
            except InputError as error:  # where Gradio has put it is nothing to the user
                problems.append(str(error).replace(os.path.join(os.path.dirname(path), ""), ""))
        return pixels, "\n".join(problems)

    def _thumbnail(self, row: int) -> np.ndarray:
        path = os.path.join(self.directory, self.gallery.names[row]) if self.gallery else ""
        try:
            return images.read_image(path, THUMBNAIL)
        except InputError:  # gone in the meantime
            return np.full(THUMBNAIL, 255, np.uint8)


def build(gr: ModuleType, asks: Questions) -> Any:
    """The page as a gradio.Blocks. gr: the module gradio."""
    event = {"api_visibility": "private", "show_progress": "hidden"}
    look = {"columns": TOP, "height": 240, "object_fit": "contain", "buttons": []}
    look["fit_columns"] = False  # two images are not twice as large as five

    def place(label):
        # a camera's picture is not mirrored: a mirrored letter would be another one
        camera = gr.WebcamOptions(mirror=False)
        image = gr.Image(
            label=label, type="filepath", height=320, buttons=[], webcam_options=camera
        )
        # Gradio would open the file to convert it, and fail on a broken one
        image.preprocess = lambda upload: upload and upload.path
        return image

    with gr.Blocks(title=TITLE, delete_cache=(300, 3600)) as page:
        gr.Markdown(f"# {TITLE}")
        about = images.described(asks.model.image_shape)
        about = f"{printable(asks.model.path.name)} reads images {about}."
        gr.Textbox(about, label="the model", interactive=False)
        with gr.Tab("Compare two"):
            with gr.Row():
                both = [place("One image"), place("Another one")]
            shown = [gr.Label(label="verdict"), gr.Textbox(label="how far apart")]
            shown.append(gr.Gallery(label="as the model reads them", **look))
            gr.on([one.change for one in both], asks.compare, both, shown, **event)
        if asks.gallery:
            with gr.Tab("Who or what is it?"):
                image = place("An image")
                shown = [gr.Label(label="it is"), gr.Textbox(label="in words")]
                shown += [
                    gr.Gallery(label=what, **look) for what in ("nearest classes", "most like it")
                ]
                image.change(asks.find, image, shown, **event)
    return page


def free_address(host: str, port: int) -> tuple[str, int]:
    """The number of an address of this machine, and a port that is free there; for 0 any.

    Raises InputError where there is no such address, or the port is taken.
    """
    try:
        if not 0 <= port < 2**16:
            raise OSError("ports run from 0 to 65535")
        (family, *_, place) = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        with socket.create_server((place[0], port), family=family) as free:
            return free.getsockname()[:2]
    except OSError as error:
        raise InputError(
            f"Expected an address of this machine and a free port. Received: {printable(host)} "
            f"and {port} ({error}). Name others with --host and --port."
        ) from None
