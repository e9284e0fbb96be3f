"""Recipes by name and from files: what is taken, and what is refused by name."""

import dataclasses

import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import arguments, recipes


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_fits_together(name):
    recipes.check(RECIPES[name])
    assert recipes.find(name) == (name, RECIPES[name])


def write(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return str(tmp_path / "mine.toml")


def test_a_recipe_from_a_file_that_starts_from_a_known_one(tmp_path):
    path = write(
        tmp_path,
        'base = "fast"\nsource = "fast, longer"\n[training]\nepochs = 20\nshift = 3\n'
        "[reading]\nleast_shape = [16, 16, 3]\n",
    )
    (name, recipe) = recipes.find(path)
    assert name == "mine"
    expected = RECIPES["fast"].changed(epochs=20, shift=3.0, least_shape=(16, 16, 3))
    assert recipe == dataclasses.replace(expected, source="fast, longer")
    # without a base, from the article
    path = write(tmp_path, '[network]\nname = "fast"\n[training]\nlearning_rate = 1\n')
    expected = RECIPES["article"].changed(name="fast", learning_rate=1)
    assert recipes.find(path)[1] == dataclasses.replace(expected, source=f"{path}, from article")


@pytest.mark.parametrize(
    "text, message",
    [
        ('base = "fsat"', "Expected base, one of article.*'fsat'"),
        ("[trainin]\nepochs = 3", r"\[network\], \[training\], \[reading\]. Received: trainin"),
        ("training = 3", r"\[network\], \[training\], \[reading\]. Received: training = 3"),
        ("[training]\nepoch = 3", r"epochs, .*Received: epoch, in \[training\] of"),
        ("[reading]\nimage_shape = [8, 8, 1]", "least_shape, .*Received: image_shape"),
        ('[training]\nepochs = "3"', "training.epochs, a whole number.*'3'"),
        ("[training]\nepochs = true", "training.epochs, a whole number.*True"),
        ("[training]\nkeep_best = 1", "training.keep_best, true or false.*: 1"),
        ("[training]\nlearning_rate = inf", "training.learning_rate, a number.*Received: inf"),
        ("[training]\nshift = nan", "training.shift, a number.*Received: nan"),
        ("[training.loss]\na = 1", "training.loss, one of .*Received: {'a': 1}"),
        ("[reading]\nleast_shape = [8, 8]", "whole numbers. Received: .8, 8"),
        ("[reading]\nleast_shape = [8, 8, 5]", "1 or 3"),
        ("[reading]\nheld_out = 1.0", "reading.held_out, a number from 0 to 0.99"),
        ("[network", "Expected a recipe in TOML"),
        ('[network]\nname = "fsat"', "network.name, one of article.*'fsat'"),
        ("[training]\nkeep_best = true\npatience = 0", "patience, a whole number from 1 .*: 0"),
        ('base = "best"\n[network]\nembedding_dim = 100', "embedding_dim 99 of .*Received: 100"),
    ],
)
def test_what_a_file_says_wrong_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        (_, recipe) = recipes.find(write(tmp_path, text))
        build_encoder(recipe)  # what only the network knows
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["slow", "nowhere.toml"])
def test_a_recipe_that_is_not_there(name):
    with pytest.raises(InputError, match="Expected a recipe"):
        recipes.find(name)


@pytest.mark.parametrize(
    "recipe, changes, message",
    [
        ("fast", {"head": "sigmoid"}, 'network.head "none" .*with training.pairing "batch"'),
        ("fast", {"distance": "cosine"}, 'network.distance "euclidean" with'),
        ("photos", {"patience": 3, "keep_best": True}, "neither training.keep_best nor"),
        ("photos", {"ways": ("linear head",)}, 'begin with "whitened"'),
        ("photos", {"held_out": 0.0}, "reading.held_out above 0"),
        ("article", {"loss": "batch_contrastive"}, "pairing 'pairs', training.loss 'batch_contras"),
        ("fast", {"loss": "members_contrastive"}, "network.name best.*Received: network.name 'f"),
        ("article", {"loss": "triplet"}, 'training.pairing "triplets".*Received: .*pairs'),
        ("article", {"loss": "binary_cross_entropy"}, "network.head sigmoid"),
        ("article", {"patience": 3}, "training.keep_best with training.patience"),
        ("article", {"keep_best": True}, "reading.held_out above 0.*held_out 0.0, .*True"),
    ],
)
def test_what_does_not_fit_together_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        recipes.check(RECIPES[recipe].changed(**changes))


def test_images_that_are_too_small_for_a_network():
    recipe = RECIPES["fast"].changed(image_shape=(4, 4, 1), least_shape=(1, 1, 1))
    with pytest.raises(InputError, match=r"Raise reading\.least_shape"):
        build_encoder(recipe)


def test_a_folder_gets_the_recipe_that_can_train_on_it(tmp_path):
    around = tmp_path / "unpacked" / "pairs"
    (around / "similar_all_images").mkdir(parents=True)
    assert arguments.default_recipe(str(tmp_path)) == "photos"
    (around / "dissimilar_all_images").mkdir()
    for folder in (around, around.parent, tmp_path):
        assert arguments.default_recipe(str(folder)) == "pairs"
    assert arguments.default_recipe(str(tmp_path / "missing")) == "photos"
    assert arguments.default_recipe("mnist") == "article"
