"""The article's constants, and every training that this project knows: a recipe is data."""

import os
from dataclasses import dataclass, replace
from typing import Any

# the shape of an image: height, width, channels
IMG_SHAPE = (28, 28, 1)

# how many pairs make a step, and how often all of them are trained on
BATCH_SIZE = 64
EPOCHS = 100

# the folder that a training writes into
BASE_OUTPUT = "output"

# and what the article wants in it: the model, and the plot of its losses
MODEL_PATH = os.path.sep.join([BASE_OUTPUT, "contrastive_siamese_model"])
PLOT_PATH = os.path.sep.join([BASE_OUTPUT, "contrastive_plot.png"])

# what keeps roots and logarithms away from where their gradient is infinite: Keras' epsilon
EPSILON = 1e-7

# of the networks side by side in recipe best, the sides of their windows in pixels
SIDES = ((5, 5, 3), (3, 3, 3), (3, 5, 3), (5, 3, 3), (7, 3, 3))


@dataclass(frozen=True)
class Reading:
    """What is read, and how it is split."""

    image_shape: tuple[int, int, int] = IMG_SHAPE  # height, width, channels: set by the data
    least_shape: tuple[int, int, int] = (1, 1, 1)  # smaller images are enlarged inside the model
    side: int = 64  # pixels: a folder's larger images are reduced to it, if no size is asked for
    # a large folder is reduced further, not below 128, to so many pixels in all; 0: no limit
    most_pixels: int = 0
    fit: str = "stretch"  # in data.images.FITS: what becomes of images of another shape
    tested: float = 0.2  # the share of a folder's images that is kept for the figures
    # the share of the training images that is not trained on, but chooses the threshold and, with
    # keep_best, the epoch. 0: train on all images, choose the threshold by the training pairs
    held_out: float = 0.0
    most_held: int = 30_000  # so many choose at most, or 8 % of the images where these are more


@dataclass(frozen=True)
class Network:
    """Pixels in, a distance out."""

    name: str  # in siamese_network.NETWORKS, or of --encoder a Keras model's file
    embedding_dim: int = 48
    pixel_scale: float = 1 / 255.0  # multiplies the uint8 pixels, inside the model
    distance: str = "euclidean"  # in utils.DISTANCES
    head: str = "none"  # in siamese_network.HEADS: what the model makes of the distance
    weights: str = "none"  # to start from: none, imagenet, or a file encoder.keras
    pixels: str = ""  # in networks.encoders.PIXELS: what the model of such a file takes
    test_views: int = 1  # the saved model takes the mean over so many places: moved by 0 or 1 pixel


@dataclass(frozen=True)
class Training:
    """What fit is given.

    pairing: "pairs"         batch_size pairs a step, a positive and a negative one of each image,
                             which passes the network once for both;
             "single_pairs"  batch_size pairs a step, each on its own;
             "triplets"      batch_size triplets (anchor, positive, negative) a step;
             "batch"         batch_size images a step, the loss forms every pair among them.
    """

    pairing: str  # in data.pairs.SAMPLERS
    loss: str  # in metrics.LOSSES
    batch_size: int
    epochs: int
    margin: float = 1.0
    optimizer: str = "adam"  # in training.build.OPTIMIZERS
    learning_rate: float = 0.001
    precision: str = "auto"  # in networks.acceleration.PRECISIONS
    warmup_steps: int | None = None  # then a cosine decay to 0; None: a constant rate
    shift: float = 0  # every training image is moved by up to this many pixels,
    turn: float = 0  # turned by up to this many degrees,
    zoom: float = 0  # zoomed by up to this share of its size,
    crop: float = 0  # cut to a window that leaves out up to this share of its area,
    mirror: bool = False  # mirrored, every second one,
    light: float = 0  # made brighter or darker by up to this share,
    colour: float = 0  # given more or less colour by up to this share,
    blur: float = 0  # and blurred by up to this share of a pixel
    more_steps: int = 0  # besides the epochs, for few images; large images get fewer of both
    ways: tuple[str, ...] = ()  # in training.photos.WAYS, in their order; (): one network, trained
    keep_best: bool = False  # the weights of the epoch with the best validation loss
    patience: int | None = None  # stop after so many epochs without a better validation loss


@dataclass(frozen=True)
class Recipe:
    """One way to train. Every field is a value; names are keys of the dicts that hold them."""

    source: str
    network: Network
    training: Training
    reading: Reading = Reading()

    def changed(self, **values: Any) -> "Recipe":
        """The same recipe with other values of `source` and of fields of the three groups."""
        for name in ("network", "training", "reading"):
            group = getattr(self, name)
            own = {field: values.pop(field) for field in vars(group) if field in values}
            values[name] = replace(group, **own)
        return replace(self, **values)


# Above each recipe: the train script's flags; on which images which share of the test pairs is
# right, and how long two cores take. docs/recipes.md has all figures, and how they were measured.

# no flags. MNIST: 89.6 %, 35 minutes, validation loss 0.11, where the article ends, too
ARTICLE = Recipe(
    source="https://pyimagesearch.com/2021/01/18/contrastive-loss-for-siamese-networks-"
    "with-keras-and-tensorflow/",
    network=Network("article"),
    training=Training("pairs", "contrastive", batch_size=BATCH_SIZE, epochs=EPOCHS),
    reading=Reading(least_shape=(4, 4, 1)),
)

# --recipe bce. MNIST: 91.0 %, 61 minutes. The article before it in the series
BCE = ARTICLE.changed(
    source="https://pyimagesearch.com/2020/11/30/siamese-networks-with-keras-tensorflow-"
    "and-deep-learning/",
    head="sigmoid", loss="binary_cross_entropy",
)  # fmt: skip

# --recipe fast. MNIST: 99.7 %, one minute, without avx512 three
FAST = ARTICLE.changed(
    source="this project: the article's loss over every pair inside a batch",
    name="fast", test_views=3,
    pairing="batch", loss="batch_contrastive", batch_size=128, epochs=9,
    optimizer="muon", learning_rate=0.002, warmup_steps=100, keep_best=True,
    shift=2,
    held_out=0.1, least_shape=(20, 20, 1),
)  # fmt: skip

# --recipe best. MNIST: 99.8 %, 20 minutes without avx512
BEST = FAST.changed(
    source="this project: five networks like fast's of different windows, mean over nine places",
    name="best", embedding_dim=240, test_views=9,
    loss="members_contrastive", epochs=12,
    turn=10, zoom=0.1,
)  # fmt: skip

# --dataset PHOTOS --recipe photos-small. 601 photos of hands, 10 signs: 100 %, 1 minute; for other
# photos "photos" is mostly better
PHOTOS_SMALL = FAST.changed(
    source="this project: fast for photographs in colour",
    name="photos", test_views=1,
    batch_size=64, epochs=200, optimizer="adam", learning_rate=0.001,
    shift=6, turn=15, zoom=0.2,
    held_out=0.15, least_shape=(16, 16, 1),
)  # fmt: skip

# --dataset PHOTOS. 601 photos of hands, 10 signs: 99.1 %, 2 minutes
PHOTOS = PHOTOS_SMALL.changed(
    source="this project: EfficientNet-Lite2 and a head. The loss: Khosla et al., 2020",
    name="features", embedding_dim=6016,
    loss="supervised_contrastive", epochs=8, more_steps=60, learning_rate=3e-4, warmup_steps=20,
    ways=("last layer", "whitened", "two-layer head", "trained on", "seen again"), keep_best=False,
    shift=9, crop=0.3, light=0.3, colour=0.3, blur=0.5,
    most_held=160, least_shape=(128, 128, 3), side=224, most_pixels=20_000_000,
)  # fmt: skip

# --dataset PAIRS. What ready pairs get where no recipe is asked for; it was not measured
PAIRS = PHOTOS_SMALL.changed(
    source="this project: photos-small for pairs that are given instead of classes",
    pairing="pairs", loss="contrastive", batch_size=32, epochs=100,
    shift=3, turn=5, zoom=0.1,
)  # fmt: skip

# --recipe keras-io. MNIST: 98.1 %, 1 minute. Its text keeps the last epoch, this recipe the best
KERAS_IO = Recipe(
    source="https://keras.io/examples/vision/siamese_contrastive/",
    network=Network("keras-io", pixel_scale=1.0, head="normalized_sigmoid", embedding_dim=10),
    training=Training("single_pairs", "contrastive", 16, 10, optimizer="rmsprop", keep_best=True),
    reading=Reading(least_shape=(16, 16, 1), held_out=0.5),
)

# --recipe dogs --dataset PHOTOS. 200 photos of hands: 56.1 %, 14 minutes; 199 ready pairs: 86.1 %
DOGS = ARTICLE.changed(
    source="Exploring Siamese networks using contrastive loss for image similarity "
    "comparison, php.cn",
    name="dogs", embedding_dim=1,
    batch_size=32, margin=2.0, learning_rate=0.0005,
    least_shape=(256, 256, 3),
)  # fmt: skip

# --recipe triplet --dataset PHOTOS. CIFAR-10, with --weights none: 62.6 %, 10 minutes
TRIPLET = ARTICLE.changed(
    source="Tan Pengshi Alvin, Siamese Neural Networks with Triplet Loss and Cosine Distance",
    name="mobilenet", distance="cosine", embedding_dim=1280, weights="imagenet",
    pairing="triplets", loss="triplet", margin=0.4, epochs=50, learning_rate=1e-4,
    keep_best=True, patience=2,
    held_out=0.05, least_shape=(32, 32, 3),
)  # fmt: skip

# --recipe triplet-shipped --dataset PHOTOS. CIFAR-10: 84.6 %, 17 minutes. Nothing is downloaded
TRIPLET_SHIPPED = TRIPLET.changed(
    source="the triplet text's training, with EfficientNet-Lite2 in MobileNetV2's place",
    name="efficientnet_lite2", weights="none",
)  # fmt: skip

# a new recipe is an entry here; --recipe NAME runs it
RECIPES: dict[str, Recipe] = {
    "article": ARTICLE, "fast": FAST, "best": BEST,
    "photos": PHOTOS, "photos-small": PHOTOS_SMALL, "pairs": PAIRS,
    "bce": BCE, "keras-io": KERAS_IO, "dogs": DOGS,
    "triplet": TRIPLET, "triplet-shipped": TRIPLET_SHIPPED,
}  # fmt: skip
