"""Images in memory or mapped come in; what was computed from them goes out, kept between runs."""

from collections.abc import Callable

import numpy as np

from pyimagesearch.data.cache_place import use
from pyimagesearch.data.rows import Rows
from pyimagesearch.data.sets import pixel_digests
from pyimagesearch.system.terminal import ProgressBar

BLOCK = 512  # images computed before they are kept: what an interrupted run loses


def kept(
    store: str,
    images: np.ndarray | Rows,
    compute: Callable[[np.ndarray, np.ndarray], np.ndarray],
    what: str,
) -> np.ndarray:
    """What compute makes of each image, an image's taken from the cache where it is known: (N, …).

    store: names what is computed, so that nothing else has that name: a digest of weights and
    settings belongs into it. images: uint8 (N, H, W, C), known by their pixels.
    compute: of images uint8 (n, H, W, C) and their digests uint64 (n,), (n, …); a function of
    each image by itself. what: for the progress bar, "images looked at".
    """
    digests = pixel_digests(images)
    names = [digest.tobytes() for digest in digests]

    def work(cache):
        cache.open_store(store)
        missing = np.flatnonzero(cache.rows(store, names) < 0)
        missing = np.sort(missing[np.unique(digests[missing], return_index=True)[1]])
        with ProgressBar(len(missing), what) as progress:
            for start in range(0, len(missing), BLOCK):
                block = missing[start : start + BLOCK]
                made = compute(np.asarray(images[block]), digests[block])
                cache.add(store, [], [names[k] for k in block], made)
                progress.add(len(block))
        rows = cache.rows(store, names)
        if np.any(rows < 0):  # another process has cleared it
            raise FileNotFoundError(f"rows of {store}")
        return np.asarray(cache.array(store)[rows])

    return use(work, say=False)  # which the reading of the pixels has said
