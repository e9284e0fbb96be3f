"""The losses. In all of them y = 1: same class, and smaller distance = more alike."""

# import the necessary packages
from keras import ops


def contrastive_loss(y, preds, margin=1):
    """Contrastive loss of pairs: the mean of y * d^2 + (1 - y) * max(margin - d, 0)^2.

    y: 1 where the two images are of the same class, 0 where not; any number type or bool.
    preds: the distances d >= 0. Either may be (B,) or (B, 1). Returns a float32 scalar.
    Source: Hadsell, Chopra, LeCun, "Dimensionality Reduction by Learning an Invariant
    Mapping", 2006, without its factor 1/2, as in the article.
    Raises ValueError where y and preds are not one to one: they would broadcast in silence.

    >>> float(contrastive_loss([1, 0], [0.5, 0.25]))  # (0.5^2 + (1 - 0.25)^2) / 2
    0.40625
    """
    # explicitly cast both to one type: float32, since bfloat16 and
    # float16 would round the mean
    y = ops.cast(y, "float32")
    preds = ops.cast(preds, "float32")

    if _without_last_one(y.shape) != _without_last_one(preds.shape):
        raise ValueError(
            "Expected one label for each distance, shapes (B,) or (B, 1). "
            f"Received: labels {tuple(y.shape)}, distances {tuple(preds.shape)}."
        )
    y = ops.reshape(y, ops.shape(preds))

    # calculate the contrastive loss between the true labels and
    # the predicted distances
    squaredPreds = ops.square(preds)
    squaredMargin = ops.square(ops.maximum(margin - preds, 0))
    return ops.mean(y * squaredPreds + (1 - y) * squaredMargin)


def batch_contrastive_loss(y, preds, margin=1):
    """Contrastive loss over every pair inside a batch, the two kinds of pair weighing the same.

    Half the mean of d^2 over the pairs of one class, plus half the mean of
    max(margin - d, 0)^2 over the pairs of two classes: what contrastive_loss gives for
    balanced pairs. A batch of B images holds B (B - 1) / 2 pairs, none of them drawn.
    y: (B,) or (B, 1) class numbers, integers. preds: (B, D) embeddings. Returns a float32 scalar;
    a kind of pair that the batch does not hold counts as 0.
    """
    y = ops.reshape(y, (-1, 1))
    preds = ops.cast(preds, "float32")

    # squared distances: |a - b|^2 = |a|^2 + |b|^2 - 2ab          # (B, B)
    squaredNorms = ops.sum(ops.square(preds), axis=1, keepdims=True)
    products = ops.matmul(preds, ops.transpose(preds))
    squaredDistances = squaredNorms + ops.transpose(squaredNorms) - 2 * products

    # the root's gradient is infinite at 0: keep away from it
    squaredDistances = ops.maximum(squaredDistances, 1e-7)
    distances = ops.sqrt(squaredDistances)

    # which pairs are of one class, an image with itself left out   # (B, B)
    same = ops.cast(ops.equal(y, ops.transpose(y)), "float32")
    different = 1 - same
    same = same - ops.eye(ops.shape(preds)[0], dtype="float32")

    squaredMargin = ops.square(ops.maximum(margin - distances, 0))
    positive = ops.sum(same * squaredDistances) / ops.maximum(ops.sum(same), 1)
    negative = ops.sum(different * squaredMargin) / ops.maximum(ops.sum(different), 1)
    return (positive + negative) / 2


def _without_last_one(shape):
    # (B, 1) -> (B,); static shapes, in which an unknown size is None
    return tuple(shape[:-1]) if len(shape) > 1 and shape[-1] == 1 else tuple(shape)


LOSSES = {"contrastive": contrastive_loss, "batch_contrastive": batch_contrastive_loss}
