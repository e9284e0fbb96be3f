"""Train a Siamese network: by default as the article does, on pairs of MNIST digits.

    python train_contrastive_siamese_network.py                    # the article's run, half an hour
    python train_contrastive_siamese_network.py --recipe fast      # better, in under a minute
    python train_contrastive_siamese_network.py --dataset photos/  # your own, a subfolder per class

Writes output/contrastive_siamese_model, output/contrastive_plot.png and more beside them, and
prints how many test pairs the model gets right. Ctrl-C ends a training early and keeps what was
learned; after a crash, the same command with --resume goes on.
"""

# import the necessary packages
from pyimagesearch.system import machines, terminal
terminal.setup()  # before Keras

from keras.layers import Input
from keras.models import Model
from pyimagesearch import utils
from pyimagesearch.data import batches, datasets
from pyimagesearch.evaluation import report
from pyimagesearch.inference import saved_model
from pyimagesearch.training import (arguments, assemble, callbacks, checkpoints, devices,
    optimizers, sharing, signals, ways, weights)


def main():
    # parse the arguments: a recipe, and what was said otherwise
    (args, recipe) = arguments.parse(__doc__)
    with machines.only_writer(args.output), signals.restored():
        train(args, recipe)


def train(args, recipe):
    devices.let_memory_grow()
    strategy = sharing.strategy(recipe)  # one device, several cards, or several machines
    optimizers.set_seed(args.seed, args.deterministic)

    # load the images; the pixels stay uint8, the model itself scales them
    print(f"[INFO] loading {args.dataset} dataset...")
    known = weights.known_digests(recipe)
    data = datasets.load(args.dataset, recipe, args.seed, known=known, **arguments.reading(args))
    recipe = assemble.fitted(recipe, data.train)
    settings = arguments.settings(args, recipe, data)
    checkpoint = checkpoints.Checkpoint(args.output, settings, recipe, args.resume)

    # prepare the positive and negative pairs, batch by batch while training: no pixel is copied
    print("[INFO] preparing positive and negative pairs...")
    (trainBatches, steps) = batches.batches(data.train, recipe, args.seed,
        checkpoint.first_epoch, strategy.num_replicas_in_sync)

    # configure the siamese network
    print("[INFO] building siamese network...")
    with strategy.scope():
        parts = assemble.networks(recipe, data.train)
        (featureExtractor, comparison) = (parts.encoder, parts.comparison)
        if recipe.training.pairing == "batch":
            # the loss itself pairs all images of a batch: the feature extractor alone is trained
            model = featureExtractor
        else:
            imgA = Input(shape=recipe.reading.image_shape, dtype="uint8")
            imgB = Input(shape=recipe.reading.image_shape, dtype="uint8")
            (featsA, featsB) = parts.sisters([imgA, imgB])
            # finally, construct the siamese network
            distance = comparison([featsA, featsB])
            model = Model(inputs=[imgA, imgB], outputs=distance)

    if machines.is_chief():  # of several machines one alone writes
        report.draw_training_pairs(args.output, next(iter(trainBatches)))
    if recipe.training.ways:  # own photos: the best of several ways on from a network that saw many
        (featureExtractor, history, found) = ways.train(featureExtractor, trainBatches, steps,
            data, recipe, args.seed, checkpoint)
        settings |= found
    else:
        with strategy.scope():
            print("[INFO] compiling model...")
            model.compile(**assemble.compiling(recipe, steps))
            print("[INFO] training model...")
            fit = sharing.fit_of(model, recipe, checkpoint)  # model.fit, but for several machines
            history = fit(sharing.shared_out(trainBatches), steps_per_epoch=steps, shuffle=False,
                initial_epoch=checkpoint.first_epoch, epochs=recipe.training.epochs,
                verbose=terminal.verbosity(),
                callbacks=callbacks.make_callbacks(parts, data.validation, recipe, checkpoint))
    if not machines.is_chief():
        return

    # what is saved is float32, whatever precision trained it: calibrate and measure that
    print("[INFO] calibrating the threshold...")
    (exported, comparison) = assemble.exported(recipe, featureExtractor, comparison)
    settings |= devices.describe(featureExtractor)
    settings |= report.calibrate(exported, comparison, data, settings)

    # serialize the model to disk
    print("[INFO] saving siamese model...")
    saved_model.save(args.model, exported, comparison, settings, weights.trained_on(data, known))

    # plot the training history
    print("[INFO] plotting training history...")
    utils.plot_training(history, args.plot)

    # say how good it is, on images that nothing was chosen on
    print("[INFO] measuring on test images...")
    report.write(args.output, settings, recipe, history.history, exported, comparison, data)
    checkpoint.finish()
    print(f"[INFO] model: {args.model}, plot: {args.plot}")


if __name__ == "__main__":
    terminal.run(main)
