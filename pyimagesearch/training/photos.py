"""From a network that has seen photos to one for a folder: several ways, the best of which stays.

In their order, each on top of the one before: its last layer as it is; its features whitened, in
closed form; a head of two layers on these; the last blocks of the network trained on with what is
best; the mean over an image and its middle with what is best then. Held-out images say which.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Dense, Dropout, Input, UnitNormalization

from pyimagesearch.config import Recipe
from pyimagesearch.data import batches
from pyimagesearch.data.augmentation import DRAWN, MOVES, moved
from pyimagesearch.data.cache import cached
from pyimagesearch.data.sets import DataSet, ImageSet, in_batches, pixel_digests
from pyimagesearch.evaluation.all_pairs import some_of
from pyimagesearch.evaluation.distances import curve_of, unit_length
from pyimagesearch.evaluation.measure import embed
from pyimagesearch.networks.acceleration import InParts, accelerate_convolutions
from pyimagesearch.networks.encoders import FEATURES, LAST_LAYER, NETWORKS, leaves
from pyimagesearch.siamese_network import seen_again
from pyimagesearch.system.terminal import InputError, say, verbosity
from pyimagesearch.training import build, devices
from pyimagesearch.training.checkpoints import Checkpoint, Progress

HEAD = "two-layer head"
WAYS = ("last layer", "whitened", HEAD, "trained on", "seen again")
AVERAGED = "trained on, averaged"
NEW_SHARE = 0.6  # of it, 0.4 are the old weights'. Wortsman et al., "Robust fine-tuning", 2022
FROZEN = 0.4  # of the network's layers, the first of them, stay as they are
HEAD_EPOCHS = 10  # of the head; below its least steps and its rate, for known and new classes
HEAD_STEPS_AND_RATE = ((300, 4e-3), (200, 1e-3))  # new ones are to be fitted less
MOVED_VIEWS = 4  # of each training image, for the head,
MOST_MOVED = 60_000_000  # pixels of all these views together, as the network sees them
MANY_IMAGES, MANY_CLASSES = 2_000, 40  # to train on: what is learned from these is trusted
MOST_WHITENED = 10_000  # images that the whitening is computed from
MOST_DIRECTIONS = 256  # that it keeps
MOST_COMPARED = 2_500  # held-out images that the ways are compared on
CEILING = 0.9999  # a held-out AUC that minutes of training on would not raise
HARDLY = 0.01  # of their mean size: where features vary by less, pixels were scaled wrongly
SHRUNK = 0.3  # classes towards round ones: few images say little of 256 directions


def train(
    network: keras.Model, data: DataSet, recipe: Recipe, seed: int, checkpoint: Checkpoint
) -> tuple[keras.Model, keras.callbacks.History, dict[str, Any]]:
    """Each of the recipe's ways, and the one that tells held-out images apart best.

    network: the recipe's encoder, uint8 (B, H, W, C) -> float32 (B, D), D 6016 if none is given.
    checkpoint: of the training on. Returns (encoder, uint8 -> vectors of length 1; the history of
    the way that is kept, without epochs where it was computed; {"way", "ways", "mirrored"}: its
    name, each way's held-out AUC, whether images are mirrored). Ctrl-C keeps the best.
    """
    say("training model...")
    (ways, stopped, held) = (recipe.training.ways, checkpoint.stopped, data.validation)
    labels = np.asarray(data.train.labels)
    many = len(labels) >= MANY_IMAGES or len(np.unique(labels)) >= MANY_CLASSES
    # by how many standard errors each has to be better, see Choice.add: many images teach much
    (of_head, of_training) = (-2, -2) if many else (1, 1) if data.new_choices else (-1, 0)
    chosen = Choice(held, data.new_choices)
    found = {"mirrored": recipe.training.mirror}
    try:
        (whitened, views, held_vectors) = _compute(chosen, network, data, recipe, seed)
        if HEAD in ways:
            _train_head(chosen, whitened, views, held_vectors, recipe, seed, stopped, of_head)
    except KeyboardInterrupt:  # before the head's fit, which stops by itself, or its second one
        if stopped.is_set() or not chosen.kept:
            raise
        stopped.set()
    if "trained on" in ways and not stopped.is_set():
        found |= _train_on(chosen, data, recipe, seed, checkpoint, of_training)
    checkpoint.done = checkpoint.done if stopped.is_set() else checkpoint.epochs  # or skipped
    if stopped.is_set() and "trained on" not in chosen.found:  # else the checkpoint says it
        say("stopped on request, what was learned is kept")
    if "seen again" in ways:
        encoder = seen_again(chosen.encoder, found["mirrored"])
        chosen.add(f"{chosen.kept}, seen again", encoder, embed(encoder, held.images), doubt=-1)
    figures = "; ".join(f"{way} {of_way['auc']:.3f}" for way, of_way in chosen.found.items())
    say(f"held-out AUC: {figures}: kept {chosen.kept}")
    return chosen.encoder, chosen.history, found | {"way": chosen.kept, "ways": chosen.found}


def _compute(chosen, network, data, recipe, seed):
    """The ways without training. Returns (the whitened network, its vectors of views, of held)."""
    (images, labels) = (data.train.images, np.asarray(data.train.labels))
    (ways, look) = (recipe.training.ways, features_of(network))
    (features, of_held) = (look(images), look(data.validation.images))
    some = some_of(labels, MOST_WHITENED)
    sample = features[some].astype(np.float32)
    if not sample.std(axis=0).mean() > HARDLY * np.abs(sample).mean():
        received = f"one that hardly does, with --encoder-pixels {recipe.network.pixels}"
        raise InputError("an encoder whose output differs from image to image", received)
    last: int = LAST_LAYER if recipe.network.name == "features" else features.shape[1]
    encoder = keras.Model(network.input, UnitNormalization()(network.output[:, -last:]))
    chosen.add("last layer", encoder, unit_length(of_held[:, -last:].astype(np.float32)))
    (kernel, bias) = whitening(sample, labels[some])
    whitened = keras.Model(network.input, Dense(len(bias), name="whitening")(network.output))
    whitened.get_layer("whitening").set_weights([kernel, bias])

    def apply(features):  # float16 or 32 (N, D) -> float32 (N, k), in blocks: they are large
        return in_batches(lambda some: some.astype(np.float32) @ kernel + bias, features, 1024)

    (of_held, views) = (apply(of_held), [apply(features)])
    if "whitened" in ways:
        encoder = keras.Model(whitened.input, UnitNormalization()(whitened.output))
        chosen.add("whitened", encoder, unit_length(of_held), doubt=0)
    del features, sample
    seen = np.prod(np.maximum(images.shape[1:3], recipe.reading.least_shape[:2])) * len(images)
    for view in range(min(MOVED_VIEWS, int(MOST_MOVED / seen)) if HEAD in ways else 0):
        views.append(apply(look(images, recipe, (seed, view))))
    of_views = ImageSet(np.concatenate(views), np.tile(labels, len(views)))
    return whitened, of_views, ImageSet(of_held, data.validation.labels)


def _train_head(chosen, whitened, views, held, recipe, seed, stopped, doubt):
    """A head of two layers behind the whitening. views, held: image sets of whitened features."""
    say(f"training a {HEAD}...")
    (epochs, rounds) = (recipe.training.epochs, 1)  # beside --quick, --epochs is for the head
    (least_steps, rate) = HEAD_STEPS_AND_RATE[chosen.new_classes]
    if "trained on" in recipe.training.ways or recipe.training.more_steps:
        (steps, _) = batches.steps_and_size(len(views), 256)
        (epochs, rounds) = (HEAD_EPOCHS, -(-least_steps // (HEAD_EPOCHS * steps)))
    own = recipe.changed(epochs=epochs, batch_size=256, warmup_steps=20, learning_rate=rate)
    inputs = Input(views.images.shape[1:])
    x = Dropout(0.2)(Dense(512, activation="relu")(Dropout(0.3)(inputs)))
    head = keras.Model(inputs, UnitNormalization()(Dense(128)(x)))
    model = keras.Model(inputs, head(inputs))  # what is saved knows no loss of ours
    (dataset, steps) = batches.batches(views, own.changed(epochs=epochs * rounds), seed, move=False)
    history = _fit(model, dataset, steps * rounds, held, own, seed, Progress(epochs, stopped), 0)
    encoder = keras.Model(whitened.input, head(whitened.output))
    chosen.add(HEAD, encoder, np.asarray(head(held.images)), doubt, history)


def _train_on(chosen, data, recipe, seed, checkpoint, doubt):
    """The best so far trained on, but for its first blocks; its weights go back if that is no gain.

    Returns for the settings "mirrored" and, where it is kept, what devices.describe says.
    """
    if chosen.auc >= CEILING:
        say(f"skipped training on: held-out AUC is {chosen.auc:.4f} already")
        return {}
    (encoder, held) = (chosen.encoder, data.validation)
    if not recipe.training.mirror and mirror_helps(encoder, held.part(chosen.some)):
        say("mirrored images are trained on, too: they help to tell the held-out ones apart")
        recipe = recipe.changed(mirror=True)
    (dataset, steps) = batches.batches(data.train, recipe, seed, checkpoint.first_epoch)
    (before, copy) = (encoder.get_weights(), encoder)
    if recipe.network.name in NETWORKS:
        copy = accelerate_convolutions(encoder, recipe.training.precision)
    inner = next(layer for layer in copy.layers if isinstance(layer, keras.Model))
    weighted = [layer for layer in leaves(inner) if layer.trainable_weights]
    frozen = weighted[: int(FROZEN * len(weighted))]
    for layer in frozen:
        layer.trainable = False
    model = keras.Model(encoder.input, InParts(copy)(encoder.input))
    history = _fit(model, dataset, steps, held, recipe, seed, checkpoint, verbosity())
    for layer in frozen:  # encoder.keras can be trained on as a whole
        layer.trainable = True
    after = copy.get_weights()
    averaged = [old + NEW_SHARE * (new - old) for old, new in zip(before, after)]
    encoder.set_weights(after)
    chosen.add("trained on", encoder, embed(encoder, held.images), doubt, history)
    if chosen.auc < CEILING:
        encoder.set_weights(averaged)
        better = 0 if chosen.kept == "trained on" else doubt
        chosen.add(AVERAGED, encoder, embed(encoder, held.images), better, history)
    encoder.set_weights({"trained on": after, AVERAGED: averaged}.get(chosen.kept, before))
    described = devices.describe(copy) if chosen.history is history else {}  # its copy's precision
    return described | {"mirrored": recipe.training.mirror}


def _fit(model, dataset, steps, held, recipe, seed, progress, verbose):
    # held: images or vectors, for the validation. Returns the history
    (validation, count) = batches.batches(held, recipe.changed(epochs=1), seed, move=False)
    model.compile(**build.compiling(recipe, steps))
    epochs = {"initial_epoch": progress.done, "epochs": progress.epochs, "steps_per_epoch": steps}
    called = [keras.callbacks.ProgbarLogger(), progress, *progress.beside]
    how = {"verbose": verbose, "validation_data": validation, "validation_steps": count}
    return model.fit(dataset, shuffle=False, callbacks=called, **epochs, **how)


class Choice:
    """The best of the ways so far, by what it makes of the held-out images.

    new_classes: whether none of these images' classes was trained on. How sure a difference is
    follows then from the classes, which differ more than chance lets images differ.
    """

    def __init__(self, held: ImageSet, new_classes: bool = False):
        self.new_classes = new_classes
        self.some = some_of(np.asarray(held.labels), MOST_COMPARED)
        self.labels = np.asarray(held.labels)[self.some]
        self.found: dict[str, dict[str, float]] = {}  # way: its AUC
        (self.kept, self.auc) = ("", 0.0)
        self.encoder: Any = None  # a Keras Model
        self.own = np.zeros(0)  # the AUC of each image or class against the others, see areas
        self.history = keras.callbacks.History()  # without epochs until a way is trained
        self.history.history = {"loss": [], "val_loss": [], "seconds": []}

    def add(self, way: str, model: Any, feats: Any, doubt: float = 1, history: Any = None) -> None:
        """A way, its model, and that one's feats of the held-out images, (N, D): kept if better.

        Better: its AUC is larger than the best so far by more than doubt standard errors of the
        difference. With -1 it may be smaller by one, or by any at the ceiling; alike it stays.
        """
        feats = feats[self.some]
        (auc, own) = (0.0, np.zeros(1))
        if np.isfinite(feats).all():
            (auc, own) = areas(feats, self.labels, self.new_classes)
        self.found[way] = {"auc": auc}
        if self.kept:
            ahead = auc - self.auc - doubt * (own - self.own).std() / len(own) ** 0.5
            cannot_tell = doubt < 0 and auc >= CEILING
            if not cannot_tell and (not auc or ahead < 0 or (ahead == 0 and doubt >= 0)):
                return
        (self.kept, self.encoder, self.auc, self.own) = (way, model, auc, own)
        self.history = history or self.history  # "seen again" has that of what it sees with


def mirror_helps(encoder: keras.Model, held: ImageSet) -> bool:
    """Whether the mean of an image and its mirror image tells held-out images apart better."""
    views = [embed(seen_again(encoder, mirror), held.images) for mirror in (False, True)]
    (plain, mirrored) = (areas(embeddings, np.asarray(held.labels))[0] for embeddings in views)
    return mirrored > plain


def areas(
    embeddings: np.ndarray, labels: np.ndarray, by_class: bool = False
) -> tuple[float, np.ndarray]:
    """The AUC over all pairs of images, and each image's own AUC against all others, (M,).

    embeddings: (N, D). labels: int (N,). The own ones are of the M images that have another of
    their class and one of another, or the means of their classes: how these differ between two
    ways says how sure the difference of the whole is, its standard error being theirs / sqrt(M).
    """
    squares = np.square(embeddings).sum(axis=1)
    squared = squares[:, np.newaxis] + squares - 2 * embeddings @ embeddings.T
    same = labels[:, np.newaxis] == labels
    (a, b) = np.triu_indices(len(labels), 1)
    whole = curve_of(squared[a, b], same[a, b]).auc
    np.fill_diagonal(squared, -np.inf)  # itself, the first in each row
    sorted_same = np.take_along_axis(same, np.argsort(squared, axis=1)[:, 1:], axis=1)
    further = np.cumsum(~sorted_same[:, ::-1], axis=1)[:, ::-1]  # of other classes, from here on
    pairs = sorted_same.sum(axis=1) * (~sorted_same).sum(axis=1)
    known = pairs > 0
    own = (sorted_same * further).sum(axis=1)[known] / pairs[known]
    if by_class:
        of = labels[known]
        own = np.array([own[of == c].mean() for c in np.unique(of)])
    return whole, own


def features_of(network: keras.Model) -> Callable[..., np.ndarray]:
    """What a network puts out for each image, from the cache where it is known: a function.

    Of images, uint8 (N, H, W, C), it makes (N, D): float16 where the network is the one that ships,
    whose numbers fit; else float32. With a recipe each image is moved first, see
    data.augmentation.moved, at random by its pixels and the view (seed, number) alone.
    """
    # weights alone are not a network: it may be given other pixels, or be pooled otherwise
    text = network.to_json()
    for k, name in enumerate(dict.fromkeys(re.findall(r'"name": "([^"]+)"', text))):
        text = text.replace(f'"{name}"', f'"{k}"')  # whatever number Keras has added to it
    digest = hashlib.blake2b(text.encode(), digest_size=8)
    for weight in network.get_weights():
        digest.update(weight.tobytes())
    kind = np.float16 if network.output_shape[1] == FEATURES else np.float32

    def look(images, recipe=None, view=(0, 0)):
        store = f"features {digest.hexdigest()}"
        if recipe:
            asked = [float(getattr(recipe.training, move)) for move in MOVES]
            store += f" moved {asked} seed {view[0]} view {view[1]}"
        digests = pixel_digests(images)

        def move(some):  # a block of the images, whose places these are
            draws = [np.random.default_rng([k, *view]).uniform(-1, 1, DRAWN) for k in digests[some]]
            return moved(tf.constant(images[some]), recipe, draws=np.transpose(draws)).numpy()

        def compute(places, done):
            pixels = in_batches(move, np.array(places), 64) if recipe else images[np.array(places)]
            done(len(places))
            features = np.asarray(embed(network, pixels), kind)
            return {place: feature.tobytes() for place, feature in zip(places, features)}

        keys = {place: digest.tobytes() for place, digest in enumerate(digests)}
        return cached(store, keys, compute, "images looked at")[1].view(kind)

    return look


def whitening(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (D, k) and bias (k,) of one Dense layer after which classes are round.

    features: (N, D). labels: int (N,). Each feature is standardised, z = (f - mean) / s; the
    k = min(256, N - 1, D) directions in which z spreads most are kept; there the covariance inside
    classes, W, is shrunk to (1 - SHRUNK) W + SHRUNK tr(W) / k I and made the identity. The whole
    has mean variance 1. All three steps are linear, so that one kernel and bias hold them.

    s is the standard deviation plus a hundredth of their mean: what hardly varies stays small.
    """
    features = np.asarray(features, np.float32)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = 1 / (spread + 0.01 * spread.mean() + 1e-9)
    z = (features - mean) * scale
    # the directions, orthonormal, by a random projection and four power iterations: a second, not
    # a minute. Source: Halko, Martinsson, Tropp, "Finding Structure with Randomness", 2011
    k = min(MOST_DIRECTIONS, len(z) - 1, z.shape[1])
    basis = np.random.default_rng(0).normal(size=(len(z), min(k + 30, *z.shape))).astype(z.dtype)
    for _ in range(5):  # among the images, mostly fewer than the features
        basis = np.linalg.qr(z @ (z.T @ basis))[0]
    directions = np.linalg.svd(basis.T @ z, full_matrices=False)[2][:k].T
    projected = z @ directions
    classes, of = np.unique(labels, return_inverse=True)
    means = np.stack([projected[of == c].mean(axis=0) for c in range(len(classes))])
    inside = projected - means[of]
    covariance = inside.T @ inside / len(inside)
    covariance = (1 - SHRUNK) * covariance + SHRUNK * np.trace(covariance) / k * np.eye(k)
    (values, vectors) = np.linalg.eigh(covariance)
    floor = max(values.max() * 1e-6, 1e-12)  # classes of one image, or of equal ones
    turned = scale[:, np.newaxis] * (directions @ (vectors / np.sqrt(np.maximum(values, floor))))
    turned /= np.sqrt(((features - mean) @ turned).var(axis=0).mean())
    return turned.astype(np.float32), (-mean @ turned).astype(np.float32)
