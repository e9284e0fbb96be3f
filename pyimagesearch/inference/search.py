"""Which images of a folder are most like a query: exact, NumPy; embeddings kept between runs."""

# import the necessary packages
import hashlib
import os

import numpy as np

from pyimagesearch import utils
from pyimagesearch.data import images
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.files import state, whole_file


def nearest(query, gallery, top=5, squares=None):
    """The nearest of N embeddings: (indices (top,), distances (top,)), nearest first.

    query: (D,). gallery: (N, D) float32. squares: (N,), the squared norms of the gallery, if
    they are there already. Distances as euclidean_distance gives them; equal ones by index.
    """
    squares = np.square(gallery).sum(axis=1) if squares is None else squares
    near = squares - 2 * (gallery @ query)  # squared distances, less the same |query|^2 for all
    top = min(top, len(gallery))
    # this subtraction rounds: measure exactly whatever may be among the nearest
    rounding = 2e-5 * (float(squares.max()) + float(query @ query))
    candidates = np.flatnonzero(near <= np.partition(near, top - 1)[top - 1] + rounding)
    squared = np.square(gallery[candidates].astype(np.float64) - query).sum(axis=1)
    order = np.argsort(squared, kind="stable")[:top]
    return candidates[order], np.sqrt(np.maximum(squared[order], utils.EPSILON))


def embed_folder(model, paths, directory):
    """Embeddings of image files, from the last run where neither file nor model has changed.

    Kept in one file beside the model. Returns (paths embedded, (N, D) float32, messages,
    how many were taken from the last run).
    """
    cache = _cache_path(model, directory)
    known = _load(cache, model)
    names = {path: os.path.relpath(path, directory) for path in paths}
    states = {path: state(path) for path in paths}

    def is_known(path):
        return known.get(names[path], (None,))[0] == states[path]

    new = [path for path in paths if not is_known(path)]
    (read, pixels, messages) = images.read_images(new, model.image_shape)
    if read:
        known |= {names[p]: (states[p], e) for p, e in zip(read, model.embed(pixels))}
    good = [path for path in paths if is_known(path)]
    if not good:
        raise InputError(f"Expected readable images. Received: none. {'; '.join(messages[:3])}")
    embeddings = np.stack([known[names[path]][1] for path in good])
    if read:
        try:
            kept = [names[path] for path in good], [states[path] for path in good]
            _store(cache, model, *kept, embeddings)
        except OSError as error:
            messages.append(f"the embeddings could not be kept for the next run ({error.strerror})")
    return good, embeddings, messages, len(good) - len(read)


def _cache_path(model, directory):
    name = hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:16]
    return model.path.parent / f".embeddings-{name}.npz"


def _fingerprint(model):
    digest = hashlib.sha256()
    for file in sorted((model.path / "variables").iterdir()):
        digest.update(file.read_bytes())
    digest.update((model.path / "saved_model.pb").read_bytes())
    return digest.hexdigest()


def _load(cache, model):
    try:
        with np.load(cache, allow_pickle=False) as data:
            if str(data["model"]) != _fingerprint(model):
                return {}
            rows = zip(data["names"].tolist(), data["states"].tolist(), data["embeddings"])
            return {name: (state, embedding) for name, state, embedding in rows}
    except Exception:  # missing, torn or foreign: embed anew
        return {}


def _store(cache, model, names, states, embeddings):
    with whole_file(cache) as new:
        np.savez(
            new,
            model=_fingerprint(model),
            names=np.array(names),
            states=np.array(states),
            embeddings=embeddings,
        )
