"""A page in the browser that shows a model at work: compare two images, find one in a folder.

It is served by Gradio, an extra, to this machine alone unless another address is asked for.
Uploads lie in a temporary folder that is removed when
the server ends, and after an hour at the latest.
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
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimagesearch.inference import page_html
from pyimagesearch.inference.answering import asked
from pyimagesearch.inference.galleries import embed_folder
from pyimagesearch.inference.page_answers import Gallery, Questions
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable
from pyimagesearch.system.temporary import NEW, own_folder

log = logging.getLogger(__name__)

TITLE = "Same or different?"
MOST_UPLOADED = "50mb"  # a file
KEPT = 3600  # seconds that an upload is kept at most


def serve(args: argparse.Namespace) -> None:
    """Load the model and the gallery, then serve the page until Ctrl-C or SIGTERM."""
    with own_folder(Path(tempfile.gettempdir())) as folder:
        _serve(args, _gradio(folder / NEW))
    log.info("\nthe page is closed, and what was uploaded is deleted")


def _serve(args: argparse.Namespace, gr: ModuleType) -> None:
    (host, port) = free_address(args.host, args.port)
    (model, threshold) = asked(args)
    gallery = None
    if args.gallery:
        gallery = Gallery(args.gallery, embed_folder(model, args.gallery, args.class_level))
    page = build(gr, Questions(model, threshold, gallery, args.fpir))
    local = ipaddress.ip_address(host).is_loopback
    font = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))  # its 600 lacks letters
    stops = (signal.SIGINT, signal.SIGTERM)
    for stop in stops:
        signal.signal(stop, signal.default_int_handler)
    try:
        page.launch(
            server_name=f"[{host}]" if ":" in host else host,
            server_port=port,
            theme=gr.themes.Default(font=[font, "system-ui", "sans-serif"]),
            css=page_html.STYLE,
            max_file_size=MOST_UPLOADED,
            footer_links=[],
            share=False,
            run_history=False,
            enable_monitoring=False,
            quiet=True,
            prevent_thread_lock=True,
            app_kwargs=_only_for(host) if local else {},
        )
        url = _url(host, port)
        if args.json:
            print(json.dumps({"url": url}), flush=True)
        if not local:
            log.warning("open to everybody who can reach this machine, without a password")
        log.info("the page: %s until Ctrl-C", url)
        threading.Event().wait()
    except KeyboardInterrupt:
        for stop in stops:  # a second one would leave uploads behind
            signal.signal(stop, signal.SIG_IGN)
        page.close(verbose=False)


def build(gr: ModuleType, asks: Questions) -> Any:
    """The page as a gradio.Blocks. gr: the module gradio."""
    quiet = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Blocks(title=TITLE, delete_cache=(300, KEPT)) as page:
        gr.HTML(f"<h1>{TITLE}</h1>{page_html.answer(page_html.text(asks.about(), 'small'))}")
        with gr.Tab("Compare two"):
            with gr.Row():
                (first, about_first) = _place(gr, "One image")
                (second, about_second) = _place(gr, "Another one")
            found = gr.HTML(elem_id="compared")
            gr.on(
                [first.change, second.change],
                asks.compare,
                [first, second],
                [about_first, about_second, found],
                **quiet,
            )
        if asks.gallery:
            with gr.Tab("Who or what is it?"), gr.Row():
                (image, about) = _place(gr, "An image")
                found = gr.HTML(elem_id="found")
                image.change(asks.find, image, [about, found], **quiet)
    return page


def _place(gr: ModuleType, label: str) -> tuple[Any, Any]:
    # where an image is dropped, pasted or taken, and below it what is said of it
    with gr.Column():
        as_it_is = gr.WebcamOptions(mirror=False)  # a mirrored letter would be another one
        image = gr.Image(
            label=label, type="filepath", height=320, buttons=[], elem_classes="place",
            webcam_options=as_it_is,
        )  # fmt: skip
        # Gradio would open the file to convert it, and fail on a broken one
        image.preprocess = lambda upload: upload and upload.path
        return image, gr.HTML()


def _gradio(uploads: Path) -> ModuleType:
    # what is sent, shared and opened is decided here, not by variables of the machine; and
    # Gradio asks itself whether it has started, which no proxy can answer
    for name in list(os.environ):
        if name.startswith("GRADIO_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)  # read as Gradio is imported
    try:
        import gradio
    except ImportError:
        raise InputError(
            'Expected Gradio for the page. Received: none installed. pip install "gradio>=6,<7"'
        ) from None
    return gradio


def _only_for(host: str) -> dict[str, Any]:
    # a page elsewhere whose name is made to lead to this machine gets no answer
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    names = [host, f"[{host}]", "localhost"]
    return {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=names)]}


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


def _url(host: str, port: int) -> str:
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
