"""Everything a training does around fit: in parts for the article's run, which the train script
writes out; for every other recipe and data set, and for several devices, as one call, train."""

import argparse
import os
import random
import signal
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any

import keras
import matplotlib
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pyimagesearch import config, utils
from pyimagesearch.config import Recipe
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.sets import DataSet, ImageSet
from pyimagesearch.evaluation import measure, report
from pyimagesearch.evaluation.all_pairs import ImagePairs, some_of
from pyimagesearch.evaluation.distances import head_parameters
from pyimagesearch.evaluation.measure import embed
from pyimagesearch.inference import saving
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.siamese_network import build_comparison, build_encoder
from pyimagesearch.system.files import only_writer
from pyimagesearch.system.terminal import InputError, first_line, say, shown
from pyimagesearch.training import arguments, build, checkpoints, devices, photos

MOST_OTHERS = 50  # training images that those to choose by are compared with


@contextmanager
def alone(output: str) -> Iterator[None]:
    """Keep a folder for one training: of several machines the chief does, which writes there.

    Afterwards signals do as before. InputError: another training has it, or a machine is gone.
    """
    (machines, is_chief) = devices.machines()
    before = {s: h for s in checkpoints.SIGNALS if (h := signal.getsignal(s)) is not None}
    try:
        with only_writer(output) if is_chief else nullcontext():
            yield
    except tf.errors.OpError as error:
        if machines == 1:
            raise
        cause = ConnectionError(str(error).rpartition("aborted by: ")[2])  # behind a list of calls
        received = f"{first_line(cause)}. Start all again, with --resume where an epoch was done."
        raise InputError("all machines until the training ends", received) from None
    finally:
        with suppress(ValueError):  # in another thread than the main one, which gets no signals
            for s, handler in before.items():
                signal.signal(s, handler)


def is_articles(args: argparse.Namespace, recipe: Recipe) -> bool:
    """Whether this is the article's own training, on MNIST and one device."""
    plain = recipe.changed(batch_size=config.BATCH_SIZE, epochs=config.EPOCHS)
    of_article = args.dataset == "mnist" and plain == config.RECIPES["article"]
    on_one = devices.machines()[0] == 1 and len(devices.cards()) == 1
    return of_article and on_one and not args.tensorboard


def fit(
    images: np.ndarray | str | os.PathLike,
    labels: ArrayLike | None = None,
    output: str | os.PathLike | None = None,
    test: tuple[np.ndarray, ArrayLike] | None = None,
    verbose: bool = True,
    **flags: Any,
) -> SiameseModel:
    """Train on images in memory, on a folder or on a list, as the train script does.

    images: uint8 (N, H, W, C), RGB, or (N, H, W), from 0 to 255, with labels (N,), whole numbers
    or strings; or what --dataset takes: the path of a folder or a list, or a name.
    flags: the script's others by their names: recipe="fast" (for images in memory the default),
    epochs=3, batch_size=64, lr=0.01, seed=1, quick, mirror, resume and deterministic=True, encoder,
    encoder_pixels, weights, split="classes", tensorboard; image_size="64x48" and more for folders.
    output: the folder for what the script leaves. None: a temporary one, which goes with the model;
    its save keeps it. test=(images, labels): to test with; None: a fifth of the others is. There is
    no validation_data: some of the images choose by themselves.
    verbose: show what the script shows, how many images choose and test among it.
    Returns the trained model, after Ctrl-C with what was learned. Signals and random numbers, but
    for TensorFlow's, are as before; deterministic stays on. One at a time. Raises InputError.

        ((trainX, trainY), (testX, testY)) = datasets.load_mnist()
        model = fit(trainX[:5000], trainY[:5000], epochs=2)
        model.evaluate(testX, testY).accuracy["value"]
    """
    is_path = isinstance(images, str | os.PathLike)
    if is_path != (labels is None) or (is_path and test is not None):
        received = "a path with more than that" if is_path else "images without labels"
        raise InputError("images and labels, one for each, or a path alone", received)
    if is_path:
        flags["dataset"] = str(images)
    else:
        recipe_name = "fast" if flags.get("encoder") is None else "photos"
        flags = {"recipe": recipe_name, "dataset": "arrays"} | flags
    arrays = None if is_path else ((images, labels), test)
    (of_python, of_numpy) = (random.getstate(), np.random.get_state())
    with shown(verbose), ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        flags["output"] = folder if output is None else os.fspath(output)
        if isinstance(flags.get("encoder"), keras.Model):
            path = os.path.join(folder, "encoder_to_start_from.keras")
            flags["encoder"].save(path)
            flags["encoder"] = path
        given = {f"--{k.replace('_', '-')}": v for k, v in flags.items() if v is not None}
        words = [k if v is True else f"{k}={v}" for k, v in given.items() if v is not False]
        (args, recipe) = arguments.parse(fit.__doc__, words)
        try:
            with alone(args.output):
                left = train(args, recipe, arrays)
            model = SiameseModel(args.model)
            say(left)
            if output is None:  # its folder goes with it
                weakref.finalize(model, stack.pop_all().close)
            return model
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)


def train(args: argparse.Namespace, recipe: Recipe, arrays: tuple | None = None) -> list[str]:
    """Train on all devices and write what a training leaves; to be called inside of alone.

    args, recipe: of arguments.parse. arrays: instead of args.dataset, see datasets.load.
    Returns a line that says where that is, [] where nothing is left to say.
    """
    (_, is_chief) = devices.machines()
    strategy = devices.strategy(recipe)  # one device, several cards, or several machines
    build.set_seed(args.seed, args.deterministic)
    say(f"loading {args.dataset} dataset...")
    known = build.known_digests(recipe)
    source = args.dataset if arrays is None else arrays
    data = datasets.load(source, recipe, args.seed, known=known, **args.reading)
    if args.recipe == "fast" and data.train.images.shape[3] == 3:
        say("in colour: recipe photos, from a network that has seen photos, is mostly better")
    recipe = build.fitted(recipe, data.train, data.new_choices)
    settings = arguments.settings(args, recipe, data)
    checkpoint = checkpoints.Checkpoint(args.output, settings, recipe, args.resume)
    if checkpoint.is_finished:
        return []
    if args.tensorboard and is_chief:
        checkpoint.beside.append(keras.callbacks.TensorBoard(args.tensorboard, write_graph=False))

    say("preparing positive and negative pairs...")
    of_data = (data.train, recipe, args.seed, checkpoint.first_epoch)
    (train_batches, steps) = batches.batches(*of_data, strategy.num_replicas_in_sync)
    with strategy.scope():
        say("building siamese network...")
        (model, encoder, comparison) = build.networks(recipe, data.train)
        some = next(iter(train_batches))
        if recipe.training.ways:  # own photos: the best of several ways from one that saw many
            (encoder, history, found) = photos.train(encoder, data, recipe, args.seed, checkpoint)
            settings |= found
        else:
            say("compiling model...")
            model.compile(**build.compiling(recipe, steps))
            say("training model...")
            callbacks = checkpoint.callbacks(encoder, comparison, data.validation)
            history = devices.fit(model, train_batches, steps, checkpoint, callbacks)
    if not is_chief:
        return []
    del train_batches  # with the images that TensorFlow holds
    (encoder, comparison, settings) = calibrated(encoder, comparison, recipe, data, settings)
    say("saving siamese model...")
    checkpoint.begin_saving()
    saving.save(args.model, encoder, comparison, settings, build.trained_on(data, known))
    say("plotting training history...")
    report.start(args.output, some)
    plot = "none, since what is kept was computed, not trained"
    if history.history["loss"]:
        with matplotlib.rc_context():  # its style is for this figure
            utils.plot_training(history, args.plot)
        plot = args.plot
    say("measuring on test images...")
    report.write(args.output, settings, recipe, history.history, encoder, comparison, data)
    checkpoint.finish()
    return [f"model: {args.model}, plot: {plot}, report: {args.output}/report.html"]


def calibrated(
    encoder: keras.Model, comparison: keras.Model, recipe: Recipe, data: DataSet, settings: dict
) -> tuple[keras.Model, keras.Model, dict[str, Any]]:
    """Encoder and comparison in float32, as they are saved, and the settings with thresholds.

    Classes to choose by that are not trained on are few: they are compared with those of training.
    """
    say("calibrating the threshold...")
    settings = devices.describe(encoder) | settings | {"embedding_dim": encoder.output_shape[1]}
    if not recipe.training.ways:  # those are in float32 already
        trained = (encoder, comparison)
        (encoder, comparison) = (build_encoder(recipe), build_comparison(recipe))
        for copy, model in zip((encoder, comparison), trained):
            copy.set_weights(model.get_weights())
    if recipe.network.head != "none":
        settings["head_parameters"] = head_parameters(comparison.get_weights())
    (choices, asked) = (data.choices, None)
    embeddings = embed(encoder, choices.images)
    if data.new_choices:
        train = data.train.part(some_of(np.asarray(data.train.labels), MOST_OTHERS))
        embeddings = np.concatenate([embeddings, embed(encoder, train.images)])
        asked = np.arange(len(embeddings)) < len(choices)
        labels = np.append(np.asarray(choices.labels), np.asarray(train.labels))
        groups = None if (x := choices.groups) is None else np.append(x, np.asarray(train.groups))
        choices = ImageSet(embeddings, labels, None, choices.class_names, groups)
    pairs = ImagePairs(embeddings, choices, settings, data.new_choices, asked)
    return encoder, comparison, settings | measure.calibrate(pairs)
