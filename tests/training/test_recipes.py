"""Recipes by name and from files: what is taken, and what is refused by name."""

import dataclasses

import pytest

from pyimagesearch.config import RECIPES, Network, Reading, Recipe, Training
from pyimagesearch.system.errors import InputError
from pyimagesearch.training import arguments, recipes


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_fits_together(name):
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


def test_a_recipe_from_a_file_of_its_own(tmp_path):
    path = write(
        tmp_path,
        '[network]\nname = "fast"\n[training]\npairing = "pairs"\nloss = "contrastive"\n'
        "batch_size = 32\nepochs = 5\nlearning_rate = 1\nwarmup_steps = 10\n",
    )
    (_, recipe) = recipes.find(path)
    training = Training("pairs", "contrastive", 32, 5, learning_rate=1.0, warmup_steps=10)
    assert recipe == Recipe(path, Network("fast"), training, Reading())


@pytest.mark.parametrize(
    "text, message",
    [
        ('base = "fsat"', "Expected base, one of article.*'fsat'"),
        ('base = "fast"\nsource = 3', "Expected source, a text. Received: 3"),
        ('base = "fast"\n[trainin]\nepochs = 3', "network, training, reading. Received: trainin"),
        ('base = "fast"\ntraining = 3', r"Expected \[training\], a table. Received: 3"),
        ('base = "fast"\n[training]\nepoch = 3', r"epochs, .*Received: epoch, in \[training\] of"),
        ('base = "fast"\n[training]\nepochs = "3"', "training.epochs, a whole number.*'3'"),
        ('base = "fast"\n[training]\nepochs = true', "training.epochs, a whole number.*True"),
        ('base = "fast"\n[training]\nkeep_best = 1', "training.keep_best, true or false.*: 1"),
        ('base = "fast"\n[training]\nmargin = "1"', "training.margin, a number. Received: '1'"),
        ('base = "fast"\n[network]\nname = 1', "network.name, a text. Received: 1"),
        ('base = "fast"\n[reading]\nleast_shape = [8, 8]', "three whole numbers.*8, 8"),
        ('[network]\nname = "fast"', r"\[training\] also 'pairing', .*'epochs', or a base"),
        ("[network", "Expected a recipe in TOML"),
        ('base = "fast"\n[network]\nname = "fsat"', "network.name, one of article.*'fsat'"),
    ],
)  # fmt: skip
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
        ("fast", {"head": "sigmoid"}, 'network.head "none" with training.pairing "batch"'),
        ("fast", {"distance": "cosine"}, 'network.distance "euclidean" with'),
        ("fast", {"loss": "contrastive"}, 'training.pairing "batch" with training.loss'),
        ("article", {"loss": "batch_contrastive"}, "Received: pairs with batch_contrastive"),
        ("fast", {"loss": "members_contrastive"}, "network.name best.*Received: fast"),
        ("article", {"loss": "triplet"}, 'training.pairing "triplets".*Received: pairs'),
        ("article", {"loss": "binary_cross_entropy"}, "network.head sigmoid"),
        ("article", {"patience": 3}, "training.keep_best with training.patience"),
        ("article", {"keep_best": True}, "reading.held_out above 0.*Received: 0.0"),
        ("article", {"optimizer": "sdg"}, "training.optimizer, one of adam, rmsprop.*'sdg'"),
        ("article", {"pairing": "pair"}, "training.pairing, one of pairs"),
        ("article", {"held_out": 1.0}, "reading.held_out from 0 to below 1"),
        ("article", {"learning_rate": -0.1}, "training.learning_rate above 0. Received: -0.1"),
        ("triplet", {"patience": 0}, "training.patience from 1 up. Received: 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        recipes.check(RECIPES[recipe].changed(**changes))


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
