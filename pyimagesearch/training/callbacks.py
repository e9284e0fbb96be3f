"""What fit calls after each batch and epoch."""

import math
from typing import Any

import keras
import numpy as np

from pyimagesearch import metrics
from pyimagesearch.config import Recipe
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.evaluation.embeddings import Comparison, embed, pair_distances
from pyimagesearch.evaluation.verification import curve_of
from pyimagesearch.training.checkpoints import Checkpoint


def make_callbacks(
    encoder: keras.Model,
    comparison: Comparison,
    validation: ImageSet,
    recipe: Recipe,
    checkpoint: Checkpoint,
) -> list[keras.callbacks.Callback]:
    """The callbacks of a training: first who adds to an epoch's figures, then who keeps them."""
    validated = Validation(checkpoint, encoder, comparison, validation, recipe)
    return [validated, keras.callbacks.ProgbarLogger(), checkpoint]  # which speaks below the bar


class Validation(keras.callbacks.Callback):
    """Adds val_loss, the loss of the validation pairs, to each epoch's figures.

    With keep_best, ends with the weights of the epoch whose val_loss was lowest, and with a
    patience perhaps before the last epoch. No reported figure comes from images that something
    was chosen on.
    """

    def __init__(self, progress, encoder, comparison, validation, recipe):
        super().__init__()
        self.progress, self.recipe, self.validation = progress, recipe, validation
        self.encoder, self.comparison = encoder, comparison

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        progress, training = self.progress, self.recipe.training
        if progress.diverged:
            return
        embeddings = embed(self.encoder, self.validation.images)
        (distances, y) = pair_distances(embeddings, self.validation.drawn, self.comparison)
        loss = float(metrics.pair_loss(self.recipe, y, distances))
        # the last step's weights may be infinite where the loss before it was not
        if not (np.isfinite(embeddings).all() and math.isfinite(loss)):
            progress.diverged = self.model.stop_training = True
            return
        logs["val_loss"] = loss
        if self.recipe.network.head != "none":
            logs["val_accuracy"] = float(metrics.pair_accuracy(y, distances))
        progress.collapsed = curve_of(distances, y).collapsed
        if not training.keep_best or (progress.collapsed and not progress.best_weights):
            return  # what has not begun to learn is not to be kept, nor is its patience counted
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, epoch + 1
            progress.best_weights = self.model.get_weights()
        elif training.patience and epoch + 1 - progress.best_epoch >= training.patience:
            self.model.stop_training = progress.out_of_patience = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.progress.best_weights:
            self.model.set_weights(self.progress.best_weights)
