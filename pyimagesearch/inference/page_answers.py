"""What the page says of an uploaded image, or of two: the numbers of compare, identify and search.

Images are read as training reads them, by data.images, not by Gradio.
"""

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pyimagesearch.data import images
from pyimagesearch.inference import page_html, search
from pyimagesearch.inference.answering import verdict
from pyimagesearch.inference.identify import identify
from pyimagesearch.inference.model import TrainedModel
from pyimagesearch.inference.vectors import Vectors
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

TOP = 5  # candidates and images that are shown


@dataclass(frozen=True)
class Gallery:
    """The folder that images are looked for in, and its embeddings."""

    directory: str
    vectors: Vectors

    @cached_property
    def squares(self) -> np.ndarray:
        """The squared norms of the embeddings, for all queries to come: (N,)."""
        return search.squared_norms(self.vectors.embeddings)

    def look(self, row: int) -> np.ndarray | None:
        """An image of it to look at, uint8 (H, W, C); None where it is gone in the meantime."""
        path = os.path.join(self.directory, self.vectors.names[row])
        try:
            return images.decode(images.read_bytes(path), path, page_html.THUMBNAIL)
        except InputError:
            return None


@dataclass(frozen=True)
class Questions:
    """What the page asks the model. Paths are those of uploads, None where there is none."""

    model: TrainedModel
    threshold: float
    gallery: Gallery | None = None
    fpir: float = 0.01

    def compare(self, *paths: str | None) -> tuple[str, str, str]:
        """Two images -> HTML: a note on each, and the distance and the verdict."""
        (pixels, notes) = zip(*(self._read(path) for path in paths))
        if any(image is None for image in pixels):
            return (*notes, "")
        feats = self.model.embed(np.stack(pixels))
        distance = float(self.model.distance([feats[:1], feats[1:]])[0])
        similarity = float(self.model.similarity(distance, self.threshold))
        same = bool(self.model.is_same(distance, self.threshold))
        found = page_html.answer(
            page_html.text(verdict(same), f"verdict {'yes' if same else 'no'}"),
            page_html.text(f"distance {distance:.4f}, similarity {similarity:.3f}"),
            page_html.meter(distance, self.threshold),
            page_html.text(f"same where the distance is below {self.threshold:.4f}", "small"),
        )
        return (*notes, found)

    def find(self, path: str | None) -> tuple[str, str]:
        """One image -> HTML: a note on it, and who or what it is, or what is most like it."""
        (pixels, note) = self._read(path)
        gallery = self.gallery
        if pixels is None or gallery is None:
            return note, ""
        feats = self.model.embed(pixels[np.newaxis])
        classes = gallery.vectors.classes
        who = "" if classes is None else self._who(gallery, classes, feats)
        return note, page_html.answer(who, self._most_like(gallery, feats[0]))

    def about(self) -> str:
        """The model, in a sentence."""
        settings = self.model.settings
        names = [printable(str(name)) for name in settings.get("class_names") or ()]
        shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        classes = f", trained on {len(names)} classes: {shown}" if names else ""
        how = images.described(self.model.image_shape)
        return f"{printable(self.model.path.name)}{classes}. It reads images {how}."

    def _read(self, path: str | None) -> tuple[np.ndarray | None, str]:
        if path is None:
            return None, ""
        shape = self.model.image_shape
        try:
            data = images.read_bytes(path)
            name = os.path.basename(path)  # where Gradio has put it is nothing to the user
            pixels = images.fit(images.decode(data, name, max(shape[:2])), shape)
        except InputError as error:
            return None, page_html.answer(page_html.text(str(error), "wrong"))
        return pixels, page_html.answer(page_html.read_as(pixels, images.described(shape)))

    def _who(self, gallery: Gallery, classes: tuple[str, ...], feats: np.ndarray) -> str:
        (names, labels) = np.unique(classes, return_inverse=True)
        shown = [printable(name) for name in names]
        (found,) = identify(
            self.model, feats, gallery.vectors.embeddings, labels, shown, self.fpir, TOP
        )
        (limit, nearest) = (found.limit, found.candidates[0])
        rate = "FPIR unknown"
        if limit.fpir is not None:
            calibration = self.model.settings["identification"]
            trained = " of classes that were trained on" * (calibration.get("new_classes") is False)
            rate = f"FPIR {100 * limit.fpir:g} %{trained}"
        rows = []
        for c in found.candidates:
            similarity = float(self.model.similarity(c.distance, limit.threshold))
            words = f"distance {c.distance:.4f}, similarity {similarity:.3f}"
            rows.append((gallery.look(c.image), c.name, words))
        return (
            page_html.text(found.name or "unknown", f"verdict {'yes' if found.known else 'no'}")
            + page_html.text(f"distance {nearest.distance:.4f}")
            + page_html.meter(nearest.distance, limit.threshold)
            + page_html.text(
                f"known where the distance is below {limit.threshold:.4f}; {rate}, "
                f"gallery of {limit.gallery_size}",
                "small",
            )
            + page_html.ranking("nearest", rows)
        )

    def _most_like(self, gallery: Gallery, feats: np.ndarray) -> str:
        embeddings = gallery.vectors.embeddings
        (found, distances) = search.most_like(self.model, feats, embeddings, TOP, gallery.squares)
        rows = []
        for row, distance in zip(found, distances):
            name = printable(gallery.vectors.names[row])
            similarity = float(self.model.similarity(distance, self.threshold))
            same = verdict(bool(self.model.is_same(distance, self.threshold)))
            words = f"distance {distance:.4f}, similarity {similarity:.3f}: {same}"
            rows.append((gallery.look(row), name, words))
        return page_html.ranking("most like it", rows)
