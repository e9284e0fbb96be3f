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
    """One way to train. Every field is a value; names are keys of NETWORKS and LOSSES.

    pairing: "pairs": batch_size pairs a step, drawn once, half of them of the same class;
             "batch": batch_size images a step, the loss forms every pair among them.
    held_out: the share of the training images that is never trained on, kept for choosing
             the best epoch and the threshold. 0: train on all images, keep the final
             weights, take the threshold from the training pairs.
    """

    source: str
    network: str
    pairing: str
    loss: str
    batch_size: int
    epochs: int
    embedding_dim: int = 48
    margin: float = 1.0
    image_shape: tuple = IMG_SHAPE  # (height, width, channels)
    pixel_scale: float = 1 / 255.0  # multiplies the uint8 pixels, inside the model
    learning_rate: float = 0.001  # Adam's
    warmup_steps: int | None = None  # then a cosine decay to 0; None: a constant rate
    shift: int = 0  # every training image is moved by up to this many pixels
    held_out: float = 0.0


RECIPES = {
    "article": Recipe(
        source="https://pyimagesearch.com/2021/01/18/contrastive-loss-for-siamese-networks-"
        "with-keras-and-tensorflow/",
        network="article",
        pairing="pairs",
        loss="contrastive",
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
    ),
    "fast": Recipe(
        source="this project: the article's loss over every pair inside a batch",
        network="fast",
        pairing="batch",
        loss="batch_contrastive",
        batch_size=128,
        epochs=7,
        learning_rate=0.002,
        warmup_steps=100,
        shift=2,
        held_out=0.1,
    ),
}
