"""Train a Siamese network with contrastive loss on pairs of MNIST digits.

    python train_contrastive_siamese_network.py                  # the article's run, 100 epochs
    python train_contrastive_siamese_network.py --recipe fast    # better, in under a minute

Both write output/contrastive_siamese_model, a SavedModel directory, and
output/contrastive_plot.png, and print how many test pairs the model gets right.
Ctrl-C ends a training early and keeps what was learned.
"""

# import the necessary packages
import argparse
import os
from dataclasses import asdict, replace

import numpy as np

from pyimagesearch import console  # before Keras: it silences TensorFlow's start-up lines

import keras
from keras.layers import Input
from keras.models import Model

from pyimagesearch import config, datasets, evaluation, metrics, reports
from pyimagesearch import saved_model, training, utils
from pyimagesearch.files import check_writable
from pyimagesearch.siamese_network import SisterNetworks, build_encoder


def main():
    # construct the argument parser and parse the arguments
    ap = argparse.ArgumentParser(description="Train a Siamese network with contrastive loss.")
    ap.add_argument("--recipe", default="article", choices=config.RECIPES,
        help="article (100 epochs, the default) or fast (under a minute, and better)")
    ap.add_argument("--epochs", type=console.positive_int, help="instead of the recipe's")
    ap.add_argument("--batch-size", type=console.positive_int, help="instead of the recipe's")
    ap.add_argument("--seed", type=console.seed, default=42, help="of all that is random (42)")
    ap.add_argument("--output", default=config.BASE_OUTPUT, help="folder to write to (output)")
    args = vars(ap.parse_args())

    # the recipe says everything else; what the flags name goes before it
    flags = {name: args[name] for name in ("epochs", "batch_size") if args[name]}
    recipe = replace(config.RECIPES[args["recipe"]], **flags)
    modelPath = os.path.join(args["output"], os.path.basename(config.MODEL_PATH))
    plotPath = os.path.join(args["output"], os.path.basename(config.PLOT_PATH))
    check_writable(args["output"], modelPath)
    keras.utils.set_random_seed(args["seed"])
    rng = np.random.default_rng(args["seed"])

    # load MNIST; the pixels stay uint8, the model itself scales them to [0, 1]
    print("[INFO] loading MNIST dataset...")
    (trainX, trainY), (testX, testY) = datasets.load_mnist()
    (trainX, trainY), (heldX, heldY) = datasets.hold_out(trainX, trainY, recipe.held_out, rng)

    # prepare the positive and negative pairs: which images they are, no pixel is copied
    print("[INFO] preparing positive and negative pairs...")
    pairTrain = utils.sample_pairs(trainY, rng)
    test = (testX, testY, utils.sample_pairs(testY, args["seed"]))

    # epoch and threshold are chosen on held-out images; a recipe that holds out none keeps its
    # last epoch, takes the threshold from its training pairs, and only shows the test loss
    if recipe.held_out:
        validation = choices = (heldX, heldY, utils.sample_pairs(heldY, rng))
    else:
        (validation, choices) = (test, (trainX, trainY, pairTrain))

    # configure the siamese network
    print("[INFO] building siamese network...")
    imgA = Input(shape=recipe.image_shape, dtype="uint8")
    imgB = Input(shape=recipe.image_shape, dtype="uint8")
    featureExtractor = build_encoder(recipe, accelerated=True)
    (featsA, featsB) = SisterNetworks(featureExtractor)([imgA, imgB])

    # finally, construct the siamese network
    distance = utils.euclidean_distance([featsA, featsB])
    model = Model(inputs=[imgA, imgB], outputs=distance)
    if recipe.pairing == "batch":  # the loss itself pairs all images of a batch
        model = featureExtractor

    # compile the model
    print("[INFO] compiling model...")
    (batches, steps) = datasets.batches(trainX, trainY, pairTrain, recipe, args["seed"])
    loss = metrics.LOSSES[recipe.loss]
    model.compile(loss=lambda y, preds: loss(y, preds, recipe.margin),
        optimizer=training.make_optimizer(recipe, steps),
        steps_per_execution=training.steps_per_execution(steps))

    # train the model
    print("[INFO] training model...")
    history = model.fit(batches, steps_per_epoch=steps, epochs=recipe.epochs, shuffle=False,
        callbacks=training.make_callbacks(featureExtractor, validation, recipe),
        verbose=console.verbosity())

    # what is saved is float32, whatever precision trained it: calibrate and measure that
    print("[INFO] calibrating the threshold...")
    exported = build_encoder(recipe)
    exported.set_weights(featureExtractor.get_weights())
    calibration = evaluation.calibrate(training.embed(exported, choices[0]), *choices[1:])

    # serialize the model to disk
    print("[INFO] saving siamese model...")
    settings = {"recipe": args["recipe"], **asdict(recipe), "seed": args["seed"],
        "class_names": [str(name) for name in np.unique(trainY)]}
    saved_model.save(modelPath, exported, settings | calibration)

    # plot the training history
    print("[INFO] plotting training history...")
    utils.plot_training(history, plotPath)

    # say how good it is, on images that nothing was chosen on
    print("[INFO] measuring on test images...")
    reports.write(args["output"], settings | calibration, history, exported, choices, test)
    reports.draw_training_pairs(args["output"], next(iter(batches)))
    print(f"[INFO] model: {modelPath}, plot: {plotPath}")


if __name__ == "__main__":
    console.run(main)
