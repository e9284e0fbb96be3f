"""The article's constants, and every training run this project knows: a recipe is data."""

# import the necessary packages
import os
from dataclasses import dataclass

# specify the shape of the inputs for our network
IMG_SHAPE = (28, 28, 1)

# specify the batch size and number of epochs
BATCH_SIZE = 64
EPOCHS = 100

# define the path to the base output directory
BASE_OUTPUT = "output"

# use the base output path to derive the path to the serialized
# model along with training history plot
MODEL_PATH = os.path.sep.join([BASE_OUTPUT, "contrastive_siamese_model"])
PLOT_PATH = os.path.sep.join([BASE_OUTPUT, "contrastive_plot.png"])


@dataclass(frozen=True)
class Recipe:
    """One way to train. Every field is a value; names are keys of the dicts that hold them.

    pairing: "pairs"         batch_size pairs a step; an image's positive and negative pair
                             side by side, so that it passes the network once for both;
             "single_pairs"  batch_size pairs a step, each on its own;
             "triplets"      batch_size triplets (anchor, positive, negative) a step, in which
                             each image is anchor or positive once;
             "batch"         batch_size images a step, the loss forms every pair among them.
    held_out: the share of the training images that is never trained on, kept for choosing
             the threshold and, with keep_best, the best epoch. 0: train on all images, take
             the threshold from the training pairs.
    """

    source: str
    network: str  # in siamese_network.NETWORKS
    pairing: str  # in utils.SAMPLERS
    loss: str  # in metrics.LOSSES
    batch_size: int
    epochs: int
    distance: str = "euclidean"  # in utils.DISTANCES
    head: str = "none"  # in siamese_network.HEADS: what the model makes of the distance
    embedding_dim: int = 48
    margin: float = 1.0
    image_shape: tuple = IMG_SHAPE  # (height, width, channels); the data's own take its place
    least_shape: tuple = (1, 1, 1)  # smaller images are enlarged to it, inside the model
    pixel_scale: float = 1 / 255.0  # multiplies the uint8 pixels, inside the model
    weights: str = "none"  # to start from: none, imagenet, or a file encoder.keras
    optimizer: str = "adam"  # in training.OPTIMIZERS
    learning_rate: float = 0.001
    warmup_steps: int | None = None  # then a cosine decay to 0; None: a constant rate
    shift: float = 0  # every training image is moved by up to this many pixels,
    turn: float = 0  # turned by up to this many degrees
    zoom: float = 0  # and zoomed by up to this share of its size
    test_shift: int = 0  # the saved model takes the mean over all shifts of up to so many pixels
    held_out: float = 0.0
    keep_best: bool = False  # the weights of the epoch with the best validation loss
    tested: float = 0.2  # the share of a folder's images that is kept for the figures
    patience: int | None = None  # stop after so many epochs without a better validation loss


RECIPES = {
    # 89.6 % of MNIST's test pairs, half an hour on two cores
    "article": Recipe(
        source="https://pyimagesearch.com/2021/01/18/contrastive-loss-for-siamese-networks-"
        "with-keras-and-tensorflow/",
        network="article",
        pairing="pairs",
        loss="contrastive",
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        least_shape=(4, 4, 1),
    ),
    # 99.6 %, 35 seconds
    "fast": Recipe(
        source="this project: the article's loss over every pair inside a batch",
        network="fast",
        least_shape=(8, 8, 1),
        pairing="batch",
        loss="batch_contrastive",
        batch_size=128,
        epochs=7,
        learning_rate=0.002,
        warmup_steps=100,
        shift=2,
        held_out=0.1,
        keep_best=True,
    ),
    "best": Recipe(
        source="this project: three networks like fast's with more filters, trained side by side "
        "with slight turns and zooms, and the mean over nine places of an image",
        network="best",
        embedding_dim=144,
        least_shape=(8, 8, 1),
        pairing="batch",
        loss="members_contrastive",
        batch_size=128,
        epochs=18,
        learning_rate=0.002,
        warmup_steps=100,
        shift=2,
        turn=10,
        zoom=0.1,
        test_shift=1,
        held_out=0.1,
        keep_best=True,
    ),
    # what a folder of photos gets by default
    "photos": Recipe(
        source="this project: fast for photographs in colour",
        network="photos",
        least_shape=(16, 16, 1),
        pairing="batch",
        loss="batch_contrastive",
        batch_size=64,
        epochs=200,
        learning_rate=0.001,
        warmup_steps=100,
        shift=6,
        turn=15,
        zoom=0.2,
        held_out=0.15,
        keep_best=True,
    ),
    # the article's predecessor, which it tells its readers to compare with
    "bce": Recipe(
        source="https://pyimagesearch.com/2020/11/30/siamese-networks-with-keras-tensorflow-"
        "and-deep-learning/",
        network="article",
        pairing="pairs",
        head="sigmoid",
        loss="binary_cross_entropy",
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        least_shape=(4, 4, 1),
    ),
    "keras-io": Recipe(
        source="https://keras.io/examples/vision/siamese_contrastive/",
        network="keras-io",
        pairing="single_pairs",
        head="normalized_sigmoid",
        loss="contrastive",
        batch_size=16,
        epochs=10,
        embedding_dim=10,
        least_shape=(16, 16, 1),
        pixel_scale=1.0,
        optimizer="rmsprop",
        held_out=0.5,
        keep_best=True,  # the text keeps its last: 0.81 in its run, after 0.92
    ),
    "dogs": Recipe(
        source="Exploring Siamese networks using contrastive loss for image similarity "
        "comparison, php.cn",
        network="dogs",
        pairing="pairs",
        loss="contrastive",
        batch_size=32,
        epochs=100,
        embedding_dim=1,
        margin=2.0,
        least_shape=(256, 256, 3),
        learning_rate=0.0005,
    ),
    "triplet": Recipe(
        source="Tan Pengshi Alvin, Siamese Neural Networks with Triplet Loss and Cosine Distance",
        network="mobilenet",
        pairing="triplets",
        loss="triplet",
        distance="cosine",
        batch_size=64,
        epochs=50,
        embedding_dim=1280,
        margin=0.4,
        least_shape=(32, 32, 3),
        weights="imagenet",
        learning_rate=1e-4,
        held_out=0.05,
        keep_best=True,
        patience=2,
    ),
}
