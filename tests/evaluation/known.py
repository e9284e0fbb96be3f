"""Embeddings whose figures are known, as ImagePairs."""

import numpy as np

from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation.all_pairs import ImagePairs


def image_pairs(embeddings, labels=None, model=None, new_classes=False, **known):
    """Pairs of images of one pixel. model: its settings. known: of an ImageSet."""
    embeddings = np.array(embeddings, np.float32).reshape(len(embeddings), -1)
    labels = labels if labels is None else np.array(labels, np.int32)
    images = ImageSet(np.zeros((len(embeddings), 1, 1, 1), np.uint8), labels, **known)
    return ImagePairs(embeddings, images, model or {}, new_classes=new_classes)
