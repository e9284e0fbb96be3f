"""The losses. In all of them y = 1: same class, and smaller distance = more alike."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras.saving import register_keras_serializable

from pyimagesearch.config import EPSILON, SIDES, Recipe
from pyimagesearch.system.terminal import InputError

Tensor = Any  # a tensor of Keras' backend, or an array
MEMBERS = len(SIDES)  # five


@register_keras_serializable(package="pyimagesearch")
def contrastive_loss(y: Tensor, preds: Tensor, margin: float = 1) -> Tensor:
    """Contrastive loss of pairs: the mean of y * d^2 + (1 - y) * max(margin - d, 0)^2.

    y: 1 where the two images are of the same class, 0 where not; any number type or bool.
    preds: the distances d >= 0. Either may be (B,) or (B, 1). Returns a float32 scalar.
    Source: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant
    Mapping", 2006, without its factor 1/2, as in the article.
    Raises ValueError where y and preds are not one to one: they would broadcast in silence.

    >>> float(contrastive_loss([1, 0], [0.5, 0.25]))  # (0.5^2 + (1 - 0.25)^2) / 2
    0.40625
    """
    # both as float32, since bfloat16 and float16 would round the mean
    preds = ops.cast(preds, "float32")
    y = _one_to_one(y, preds)

    # a same pair costs its distance, a different one what it lacks to the margin, both squared
    squaredPreds = ops.square(preds)
    squaredMargin = ops.square(ops.maximum(margin - preds, 0))
    return ops.mean(y * squaredPreds + (1 - y) * squaredMargin)


@register_keras_serializable(package="pyimagesearch")
def batch_contrastive_loss(y: Tensor, preds: Tensor, margin: float = 1) -> Tensor:
    """Contrastive loss over every pair inside a batch, the two kinds of pair weighing the same.

    Half the mean of d^2 over the pairs of one class, plus half the mean of
    max(margin - d, 0)^2 over the pairs of two classes: contrastive_loss of balanced pairs.
    y: (B,) or (B, 1) class numbers, integers. preds: (B, D) embeddings. Returns a float32 scalar;
    a kind of pair that the batch does not hold counts as 0.
    """
    (y, preds) = (ops.reshape(y, (-1, 1)), ops.cast(preds, "float32"))

    if tf.config.list_physical_devices("GPU"):
        # a card rounds the factors of a product to ten bits (TF32): all of a small distance
        squared_distances = ops.sum(ops.square(preds[:, None] - preds[None]), axis=2)
    else:  # |a - b|^2 = |a|^2 + |b|^2 - 2ab                           # (B, B)
        squared_norms = ops.sum(ops.square(preds), axis=1, keepdims=True)
        products = ops.matmul(preds, ops.transpose(preds))
        squared_distances = squared_norms + ops.transpose(squared_norms) - 2 * products

    # the root's gradient is infinite at 0: keep away from it
    squared_distances = ops.maximum(squared_distances, EPSILON)
    distances = ops.sqrt(squared_distances)

    # which pairs are of one class, an image with itself left out   # (B, B)
    same = ops.cast(ops.equal(y, ops.transpose(y)), "float32")
    different = 1 - same
    same = same - ops.eye(ops.shape(preds)[0], dtype="float32")

    squared_margin = ops.square(ops.maximum(margin - distances, 0))
    positive = ops.sum(same * squared_distances) / ops.maximum(ops.sum(same), 1)
    negative = ops.sum(different * squared_margin) / ops.maximum(ops.sum(different), 1)
    return (positive + negative) / 2


@register_keras_serializable(package="pyimagesearch")
def members_contrastive_loss(y: Tensor, preds: Tensor, margin: float = 1) -> Tensor:
    """batch_contrastive_loss of each of five networks by itself: the mean of the five.

    preds: (B, 5 D), their embeddings side by side, each divided by sqrt(5). So the distance of
    the whole is the root mean square of the five distances, and lives on their scale.
    """
    members = ops.split(preds * MEMBERS**0.5, MEMBERS, axis=1)
    return sum(batch_contrastive_loss(y, member, margin) for member in members) / MEMBERS


@register_keras_serializable(package="pyimagesearch")
def supervised_contrastive_loss(
    y: Tensor, preds: Tensor, margin: float | None = None, temperature: float = 0.1
) -> Tensor:
    """Supervised contrastive loss of a batch: how hard an image's own class is to pick out.

    For an anchor i and another image p of its class, -ln of the softmax over all other images a
    of the batch: -ln(exp(s_ip) / sum_a exp(s_ia)), s_ia = <e_i, e_a> / temperature. The mean over
    an anchor's p, then over the anchors that have any; 0 where none has.
    y: as batch_contrastive_loss. preds: (B, D) embeddings of length 1: then a smaller distance is
    a larger s, d^2 = 2 - 2 <e_i, e_a>. margin is not used. Returns a float32 scalar.
    Source: Khosla et al., "Supervised Contrastive Learning", 2020, its L_out.

    >>> # two images of one class at right angles, one of another class opposite the first:
    >>> # -ln(e^0 / (e^0 + e^-1)) = ln(1 + 1/e) and -ln(e^0 / (e^0 + e^0)) = ln 2
    >>> e = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    >>> round(float(supervised_contrastive_loss([0, 0, 1], e, temperature=1)), 4)
    0.5032
    """
    (y, preds) = (ops.reshape(y, (-1, 1)), ops.cast(preds, "float32"))
    itself = ops.eye(ops.shape(preds)[0], dtype="float32")

    # no image stands in its own softmax                              # (B, B)
    similarities = ops.matmul(preds, ops.transpose(preds)) / temperature - 1e9 * itself
    logarithms = ops.log_softmax(similarities, axis=1)
    same = ops.cast(ops.equal(y, ops.transpose(y)), "float32") - itself

    positives = ops.sum(same, axis=1)
    of_anchor = -ops.sum(same * logarithms, axis=1) / ops.maximum(positives, 1)
    anchors = ops.sum(ops.cast(positives > 0, "float32"))
    return ops.sum(of_anchor) / ops.maximum(anchors, 1)


@register_keras_serializable(package="pyimagesearch")
def binary_cross_entropy(y: Tensor, preds: Tensor, margin: float | None = None) -> Tensor:
    """Binary cross-entropy of pairs: the mean of -y ln(1 - p) - (1 - y) ln(p).

    preds: p, how different the two images are, 0 to 1: a head's output. Kept 1e-7 away from
    both ends, where the logarithm is infinite. margin is not used.
    Shapes and errors as contrastive_loss.

    >>> round(float(binary_cross_entropy([1, 0], [0.5, 0.25])), 4)  # (ln 2 + ln 4) / 2
    1.0397
    """
    preds = ops.clip(ops.cast(preds, "float32"), EPSILON, 1 - EPSILON)
    y = _one_to_one(y, preds)
    return -ops.mean(y * ops.log(1 - preds) + (1 - y) * ops.log(preds))


@register_keras_serializable(package="pyimagesearch")
def triplet_loss(y: Tensor, preds: Tensor, margin: float = 1) -> Tensor:
    """Triplet loss: the mean of max(d(anchor, positive) - d(anchor, negative) + margin, 0).

    y, preds: labels and distances of pairs as contrastive_loss, two after each other for each
    triplet: its positive pair (y = 1) and its negative pair (y = 0), in either order. So the
    labels are those of the pairs, and no dummy ones are needed.
    Source: Schroff, Kalenichenko, Philbin, "FaceNet", 2015, with the distance not squared.

    >>> float(triplet_loss([1, 0, 1, 0], [0.5, 0.75, 0.5, 2.0], margin=0.5))  # (0.25 + 0) / 2
    0.125
    """
    preds = ops.cast(preds, "float32")
    y = ops.reshape(_one_to_one(y, preds), (-1, 2))
    preds = ops.reshape(preds, (-1, 2))
    gaps = ops.sum((2 * y - 1) * preds, axis=1)  # d(anchor, positive) - d(anchor, negative)
    return ops.mean(ops.maximum(gaps + margin, 0))


@register_keras_serializable(package="pyimagesearch")
def pair_accuracy(y: Tensor, preds: Tensor) -> Tensor:
    """The share of pairs called right at 0.5 of a head's output: same where it is below."""
    preds = ops.cast(preds, "float32")
    y = _one_to_one(y, preds)
    return ops.mean(ops.cast(ops.equal(preds < 0.5, y > 0.5), "float32"))


def _one_to_one(y: Tensor, preds: Tensor) -> Tensor:
    # the labels as float32, in the shape of the distances; (B,) and (B, 1) are one to one
    y = ops.cast(y, "float32")
    (of_labels, of_distances) = ((*x.shape, 1)[:2] for x in (y, preds))  # (B,) counts as (B, 1)
    if of_labels != of_distances:
        received = f"labels {tuple(y.shape)}, distances {tuple(preds.shape)}"
        raise InputError("one label for each distance, shapes (B,) or (B, 1)", received)
    return ops.reshape(y, ops.shape(preds))


# every loss takes (y, preds, margin)
LOSSES: dict[str, Callable] = {
    "contrastive": contrastive_loss, "triplet": triplet_loss,
    "batch_contrastive": batch_contrastive_loss, "members_contrastive": members_contrastive_loss,
    "supervised_contrastive": supervised_contrastive_loss,
    "binary_cross_entropy": binary_cross_entropy,
}  # fmt: skip
WITHOUT_MARGIN = ("supervised_contrastive", "binary_cross_entropy")
# the losses that form the pairs of a batch themselves, from class numbers and embeddings
BATCH_LOSSES = ("batch_contrastive", "members_contrastive", "supervised_contrastive")


class RecipeLoss(keras.losses.Loss):
    """One of LOSSES with its margin, as compile takes it.

    Of a batch that several devices share, each gives its part of the mean: the loss of its own
    pairs, or that of every pair of the whole batch, divided by the number of devices.
    """

    def __init__(self, loss: str, margin: float = 1):
        # float32 whatever Keras' default is: class numbers up to 2^24 stay whole numbers in it
        super().__init__(name=loss, reduction=None, dtype="float32")
        self.margin = margin

    def call(self, y: Tensor, preds: Tensor) -> Tensor:
        context = tf.distribute.get_replica_context()
        devices = context.num_replicas_in_sync if context else 1
        if devices > 1 and self.name in BATCH_LOSSES:
            (y, preds) = (context.all_gather(x, axis=0) for x in (y, preds))
        return LOSSES[self.name](y, preds, self.margin) / devices


def pair_loss(recipe: Recipe, y: Tensor, distances: Tensor) -> Tensor:
    """The recipe's loss of given pairs, for validation and test. Shapes as contrastive_loss."""
    name = recipe.training.loss
    loss = contrastive_loss if name in BATCH_LOSSES else LOSSES[name]
    return loss(y, distances, recipe.training.margin)
