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


def test_without_a_base_a_file_starts_from_the_article(tmp_path):
    path = write(tmp_path, '[network]\nname = "fast"\n[training]\nlearning_rate = 1\n')
    expected = RECIPES["article"].changed(name="fast", learning_rate=1)
    assert recipes.find(path)[1] == dataclasses.replace(expected, source=f"{path}, from article")


@pytest.mark.parametrize(
    "text, message",
    [
        ('base = "fsat"', "Expected base, one of article.*'fsat'"),
        ('base = "fast"\nsource = 3', "Expected source, a text. Received: 3"),
        ("[trainin]\nepochs = 3", r"\[network\], \[training\], \[reading\]. Received: trainin"),
        ("training = 3", r"\[network\], \[training\], \[reading\]. Received: training = 3"),
        ("[training]\nepoch = 3", r"epochs, .*Received: epoch, in \[training\] of"),
        ("[reading]\nimage_shape = [8, 8, 1]", "least_shape, .*Received: image_shape"),
        ('[training]\nepochs = "3"', "training.epochs, a whole number.*'3'"),
        ("[training]\nepochs = true", "training.epochs, a whole number.*True"),
        ("[training]\nkeep_best = 1", "training.keep_best, true or false.*: 1"),
        ('[training]\nmargin = "1"', "training.margin, a number.*Received: '1'"),
        ("[training]\nlearning_rate = inf", "training.learning_rate, a number.*Received: inf"),
        ("[training]\nshift = nan", "training.shift, a number.*Received: nan"),
        ("[training]\nepochs = [3]", r"training.epochs, a whole number.*Received: \(3,\)"),
        ("[training.loss]\na = 1", "training.loss, one of .*Received: {'a': 1}"),
        ("[network]\nname = 1", "network.name, one of .*Received: 1"),
        ("[reading]\nleast_shape = [8, 8]", "whole numbers. Received: .8, 8"),
        ("[reading]\nleast_shape = [8, 8, 5]", "1 or 3"),
        ("[network", "Expected a recipe in TOML"),
        ('[network]\nname = "fsat"', "network.name, one of article.*'fsat'"),
    ],
)
def test_what_a_file_says_wrong_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        recipes.find(write(tmp_path, text))
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
        ("photos", {"test_shift": 1}, "network.test_shift with them"),
        ("photos", {"ways": ("linear head",)}, 'begin with "whitened"'),
        ("photos", {"held_out": 0.0}, "reading.held_out above 0"),
        ("fast", {"loss": "contrastive"}, 'training.pairing "batch" with training.loss'),
        ("article", {"loss": "batch_contrastive"}, "Received: pairs with batch_contrastive"),
        ("fast", {"loss": "members_contrastive"}, "network.name best.*Received: fast"),
        ("article", {"loss": "triplet"}, 'training.pairing "triplets".*Received: pairs'),
        ("article", {"loss": "binary_cross_entropy"}, "network.head sigmoid"),
        ("article", {"patience": 3}, "training.keep_best with training.patience"),
        ("article", {"keep_best": True}, "reading.held_out above 0.*Received: 0.0"),
        ("article", {"optimizer": "sdg"}, "training.optimizer, one of adam, rmsprop.*'sdg'"),
        ("article", {"pairing": "pair"}, "training.pairing, one of pairs"),
        ("article", {"held_out": 1.0}, "reading.held_out, a number from 0 to 0.99"),
        ("article", {"learning_rate": -0.1}, "training.learning_rate, a number .* Received: -0.1"),
        ("triplet", {"patience": 0}, "training.patience, a whole number from 1 .*Received: 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        recipes.check(RECIPES[recipe].changed(**changes))


@pytest.mark.parametrize(
    "recipe, changes, message",
    [
        ("best", {"embedding_dim": 100}, "embedding_dim a multiple of 3.*100"),
        ("photos", {"embedding_dim": 48}, "embedding_dim 5632.*48"),
        ("triplet", {"embedding_dim": 48}, "embedding_dim 1280.*48"),
        ("triplet-shipped", {"embedding_dim": 48}, "embedding_dim 1280.*48"),
        ("keras-io", {"precision": "bfloat16"}, 'training.precision "auto" or "float32"'),
        ("fast", {"image_shape": (4, 4, 1), "least_shape": (1, 1, 1)}, "Raise reading.least_shape"),
    ],
)
def test_what_a_network_cannot_be_is_refused_when_it_is_built(recipe, changes, message):
    shape = {"image_shape": (96, 96, 3)}
    with pytest.raises(InputError, match=message):
        build_encoder(RECIPES[recipe].changed(**shape | changes), accelerated=True)


def test_fields_that_no_recipe_has_are_named_beside_those_it_has():
    with pytest.raises(InputError, match=r"embedding_dim.* Received: epoch\."):
        RECIPES["fast"].changed(epoch=3)


def test_a_folder_gets_the_recipe_that_can_train_on_it(tmp_path):
    around = tmp_path / "unpacked" / "pairs"
    (around / "similar_all_images").mkdir(parents=True)
    assert arguments.default_recipe(str(tmp_path)) == "photos"
    (around / "dissimilar_all_images").mkdir()
    for folder in (around, around.parent, tmp_path):
        assert arguments.default_recipe(str(folder)) == "pairs"
    assert arguments.default_recipe(str(tmp_path / "missing")) == "photos"
    assert arguments.default_recipe("mnist") == "article"
