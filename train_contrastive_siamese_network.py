"""Train a Siamese network: by default as the article does, on pairs of MNIST digits.

    python train_contrastive_siamese_network.py                    # the article's run, half an hour
    python train_contrastive_siamese_network.py --recipe fast      # better, in under a minute
    python train_contrastive_siamese_network.py --dataset photos/  # your own, a subfolder per class

Writes output/contrastive_siamese_model, a SavedModel directory, output/contrastive_plot.png and
more beside them, and prints how many test pairs the model gets right. Ctrl-C ends a training
early and keeps what was learned; after a crash, the same command with --resume goes on.
"""

# import the necessary packages
from pyimagesearch.system import files, terminal
terminal.setup()  # before Keras

from keras.layers import Input
from keras.models import Model

from pyimagesearch import metrics
from pyimagesearch.data import batches, datasets
from pyimagesearch.data.pairs import SAMPLERS
from pyimagesearch.evaluation import measuring
from pyimagesearch.evaluation.embeddings import embed
from pyimagesearch.training import arguments, checkpoints
from pyimagesearch import utils
from pyimagesearch.evaluation import reports
from pyimagesearch.inference import saved_model
from pyimagesearch.training import callbacks, optimizers, weights
from pyimagesearch.siamese_network import SisterNetworks, build_comparison, build_encoder


def main():
    # parse the arguments: a recipe, and what was said otherwise
    (args, recipe) = arguments.parse(__doc__)
    with files.only_writer(args.output):
        train(args, recipe)


def train(args, recipe):
    rng = optimizers.set_seed(args.seed, args.deterministic)

    # load the images; the pixels stay uint8, the model itself scales them
    print(f"[INFO] loading {args.dataset} dataset...")
    (train, test) = datasets.load(args.dataset, recipe, rng, args.output,
        args.image_size, args.channels, args.split)
    (train, held) = datasets.split(train, recipe.reading.held_out, rng, args.split)
    recipe = recipe.changed(image_shape=tuple(train.images.shape[1:]))

    # prepare the positive and negative pairs: which images they are, no pixel is copied
    print("[INFO] preparing positive and negative pairs...")
    train = datasets.with_pairs(train, rng, SAMPLERS[recipe.training.pairing])
    test = datasets.with_pairs(test, args.seed)

    # epoch and threshold are chosen on held-out images; a recipe that holds out none keeps its
    # last epoch, takes the threshold from its training pairs, and only shows the test loss
    (validation, choices) = (test, train)
    if held:
        validation = choices = datasets.with_pairs(held, rng)
    settings = arguments.settings(args, recipe, train, test)
    checkpoint = checkpoints.Checkpoint(args.output, settings, args.resume)

    # configure the siamese network
    print("[INFO] building siamese network...")
    imgA = Input(shape=recipe.reading.image_shape, dtype="uint8")
    imgB = Input(shape=recipe.reading.image_shape, dtype="uint8")
    featureExtractor = build_encoder(recipe, accelerated=True)
    weights.load_weights(featureExtractor, recipe)
    sisters = SisterNetworks(featureExtractor, train.pairs.others.shape[1])
    (featsA, featsB) = sisters([imgA, imgB])

    # finally, construct the siamese network
    comparison = build_comparison(recipe)
    distance = comparison([featsA, featsB])
    model = Model(inputs=[imgA, imgB], outputs=distance)
    if recipe.training.pairing == "batch":  # the loss itself pairs all images of a batch
        model = featureExtractor

    # compile the model
    print("[INFO] compiling model...")
    (trainBatches, steps) = batches.batches(train, recipe, args.seed, checkpoint.epoch)
    loss = metrics.LOSSES[recipe.training.loss]
    model.compile(loss=lambda y, preds: loss(y, preds, recipe.training.margin),
        optimizer=optimizers.make_optimizer(recipe, steps), metrics=optimizers.make_metrics(recipe),
        steps_per_execution=optimizers.steps_per_execution(steps))

    # train the model
    print("[INFO] training model...")
    reports.draw_training_pairs(args.output, next(iter(trainBatches)))
    history = model.fit(trainBatches, steps_per_epoch=steps, shuffle=False,
        initial_epoch=checkpoint.epoch, epochs=recipe.training.epochs, verbose=terminal.verbosity(),
        callbacks=callbacks.make_callbacks(
            featureExtractor, comparison, validation, recipe, checkpoint))

    # what is saved is float32, whatever precision trained it: calibrate and measure that
    print("[INFO] calibrating the threshold...")
    exported = build_encoder(recipe)
    exported.set_weights(featureExtractor.get_weights())
    calibration = measuring.calibrate(
        embed(exported, choices.images), choices, comparison)

    # serialize the model to disk
    print("[INFO] saving siamese model...")
    settings |= calibration
    saved_model.save(args.model, exported, comparison, settings)

    # plot the training history
    print("[INFO] plotting training history...")
    utils.plot_training(history, args.plot)

    # say how good it is, on images that nothing was chosen on
    print("[INFO] measuring on test images...")
    reports.write(args.output, settings, recipe, history, exported, comparison, choices, test)
    checkpoint.finish()
    print(f"[INFO] model: {args.model}, plot: {args.plot}")


if __name__ == "__main__":
    terminal.run(main)
