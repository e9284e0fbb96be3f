"""Train a Siamese network: by default as the article does, on pairs of MNIST digits.

    python train_contrastive_siamese_network.py                    # 89.6 % right, 20 to 120 minutes
    python train_contrastive_siamese_network.py --recipe fast      # 99.7 %, 1 to 3 minutes
    python train_contrastive_siamese_network.py --dataset photos/  # your own, a subfolder per class

Writes output/contrastive_siamese_model, output/contrastive_plot.png and more beside them, and
prints how many test pairs the model gets right. Ctrl-C ends a training early and keeps what was
learned; after a crash, the same command with --resume goes on.
"""

from pyimagesearch.system import terminal
terminal.setup()  # before Keras

from pyimagesearch.siamese_network import (SisterNetworks, build_comparison,
    build_encoder, build_siamese_model)
from pyimagesearch import metrics
from pyimagesearch import config
from pyimagesearch import utils
from pyimagesearch.data import batches, datasets
from pyimagesearch.evaluation import report
from pyimagesearch.inference import saving
from pyimagesearch.training import arguments, build, checkpoints, run
from keras.models import Model
from keras.layers import Input
from keras.layers import Lambda


def main():
    # parse the arguments: a recipe, and what was said otherwise
    (args, recipe) = arguments.parse(__doc__)
    with run.alone(args.output):
        if run.is_articles(args, recipe):
            train(args, recipe)
        else:  # another recipe or data set, or several devices
            terminal.say(run.train(args, recipe))


def train(args, recipe):
    # load MNIST; the pixels stay uint8, the network itself scales them to the range of [0, 1]
    build.set_seed(args.seed, args.deterministic)
    print("[INFO] loading mnist dataset...")
    data = datasets.load("mnist", recipe, args.seed, **args.reading)

    # what the run is known by, and how far it has come where it is resumed
    settings = arguments.settings(args, recipe, data)
    checkpoint = checkpoints.Checkpoint(args.output, settings, recipe, args.resume)
    if checkpoint.is_finished:
        return

    # prepare the positive and negative pairs, batch by batch while training: no pixel is copied
    print("[INFO] preparing positive and negative pairs...")
    (pairTrain, steps) = batches.batches(data.train, recipe, args.seed, checkpoint.first_epoch)

    # two images go in, and pass one network
    print("[INFO] building siamese network...")
    imgA = Input(shape=config.IMG_SHAPE, dtype="uint8")
    imgB = Input(shape=config.IMG_SHAPE, dtype="uint8")
    featureExtractor = build_encoder(recipe, accelerated=True,
        network=build_siamese_model(config.IMG_SHAPE))
    # both sisters in one pass; each image of imgA has two of imgB, its positive and its negative
    (featsA, featsB) = SisterNetworks(featureExtractor, k=2)([imgA, imgB])

    # what comes out is their distance
    distance = Lambda(utils.euclidean_distance)([featsA, featsB])
    model = Model(inputs=[imgA, imgB], outputs=distance)

    # the loss that the training lowers, and the optimizer that lowers it
    print("[INFO] compiling model...")
    model.compile(loss=metrics.contrastive_loss, optimizer="adam",
        steps_per_execution=batches.steps_of_a_call(steps))

    # fit shows the pairs again and again; the callbacks validate, keep and may stop
    print("[INFO] training model...")
    comparison = build_comparison(recipe)
    history = model.fit(
        pairTrain, steps_per_epoch=steps, shuffle=False,
        initial_epoch=checkpoint.first_epoch, epochs=recipe.training.epochs,
        verbose=terminal.verbosity(),
        callbacks=checkpoint.callbacks(featureExtractor, comparison, data.validation))

    # choose the distance below which two images are the same
    (encoder, comparison, settings) = run.calibrated(featureExtractor, comparison, recipe, data,
        settings)

    # write the model, for programs that know nothing of this one
    print("[INFO] saving siamese model...")
    checkpoint.begin_saving()
    saving.save(args.model, encoder, comparison, settings, build.trained_on(data))

    # draw some of the pairs, and how the loss fell
    print("[INFO] plotting training history...")
    report.start(args.output, next(iter(pairTrain)))
    utils.plot_training(history, args.plot)

    # say how good it is, on images that nothing was chosen on
    print("[INFO] measuring on test images...")
    report.write(args.output, settings, recipe, history.history, encoder, comparison, data)
    checkpoint.finish()
    print(f"[INFO] model: {args.model}, plot: {args.plot}, report: {args.output}/report.html")


if __name__ == "__main__":
    terminal.run(main)
