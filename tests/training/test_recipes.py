"""Recipes by name and from files: what is taken, and what is refused by name."""

import dataclasses

import keras
import pytest

from pyimagesearch.config import RECIPES
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import arguments


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_fits_together(name):
    arguments.check(RECIPES[name])


def write(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return str(tmp_path / "mine.toml")


def test_a_recipe_from_a_file_that_starts_from_a_known_one(tmp_path):
    text = 'base = "fast"\nsource = "fast, longer"\n[training]\nepochs = 20\nshift = 3\n'
    path = write(tmp_path, f"{text}[reading]\nleast_shape = [16, 16, 3]\n")
    (name, recipe) = arguments.find_recipe(path)
    assert name == "mine"
    expected = RECIPES["fast"].changed(epochs=20, shift=3.0, least_shape=(16, 16, 3))
    assert recipe == dataclasses.replace(expected, source="fast, longer")
    # without a base, from the article
    path = write(tmp_path, '[network]\nname = "fast"\n[training]\nlearning_rate = 1\n')
    expected = RECIPES["article"].changed(name="fast", learning_rate=1)
    expected = dataclasses.replace(expected, source=f"{path}, from article")
    assert arguments.find_recipe(path)[1] == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ('base = "fsat"', "Expected base, one of article.*'fsat'"),
        ("[trainin]\nepochs = 3", r"\[network\], \[training\], .*Received: epochs, in \[trainin\]"),
        ("training = [3]", r"Received: \[3\], in \[training\] of"),
        ("[training]\nepoch = 3", r"epochs, .*Received: epoch, in \[training\] of"),
        ("[reading]\nimage_shape = [8, 8, 1]", "least_shape, .*Received: image_shape"),
        ('[training]\nepochs = "3"', "training.epochs, a whole number.*'3'"),
        ("[training]\nkeep_best = 1", "training.keep_best, true or false.*: 1"),
        ("[training]\nlearning_rate = inf", "training.learning_rate, a number.*Received: inf"),
        ("[training.loss]\na = 1", "training.loss, one of .*Received: {'a': 1}"),
        ("[reading]\nleast_shape = [8, 8]", "whole numbers. Received: .8, 8"),
        ("[reading]\nheld_out = 1.0", "reading.held_out, a number from 0 to 0.99"),
        ("[reading]\nside = 256", "reading.side, a whole number from 1 to 255"),
        ("[network", "Expected a recipe.*a file in TOML"),
        ("[training]\nkeep_best = true\npatience = 0", "patience, a whole number from 1 .*: 0"),
        ('[training]\nloss = "batch_contrastive"', "pairing 'batch' with .*Received: 'pairs'"),
        ('[training]\nloss = "triplet"', "pairing 'triplets' with .*Received: 'pairs'"),
        ('[training]\nloss = "binary_cross_entropy"', "head 'sigmoid' or .*Received: 'none'"),
        ("[training]\npatience = 3", "patience None with training.keep_best False.*: 3"),
        ("[training]\nkeep_best = true", "keep_best False with reading.held_out 0.0"),
        ('base = "fast"\n[network]\nhead = "sigmoid"', "head 'none' with training.pairing"),
        ('base = "fast"\n[network]\ndistance = "cosine"', "distance 'euclidean' with"),
        ('base = "fast"\n[training]\nloss = "members_contrastive"', "name 'best' with"),
        ('base = "bce"\n[training]\nmargin = 2.0', r"margin 1\.0 with training.loss 'binary"),
        ("[network]\ntest_views = 3", "network.name 'fast' or 'best' with network.test_views 3"),
        ('base = "best"\n[network]\nembedding_dim = 101', "embedding_dim 100 with .*: 101"),
        ('base = "photos"\n[network]\nembedding_dim = 64', "embedding_dim 6016 with .*: 64"),
        ('base = "photos"\n[network]\nweights = "a.keras"', "weights 'none' with training.ways"),
        ('base = "photos"\n[training]\nkeep_best = true', "keep_best False with training.ways"),
        ('base = "photos"\n[training]\nprecision = "bfloat16"', "precision 'auto' or 'float32'"),
        ('base = "photos"\n[training]\nways = ["whitened"]', "ways .'last layer', 'whitened'."),
        ('base = "photos"\n[reading]\nheld_out = 0.0', r"ways \(\) with reading.held_out 0"),
        ('base = "photos"\n[reading]\nside = 80', "side 128 with reading.least_shape .*: 80"),
    ],
)
def test_what_a_file_says_wrong_or_in_vain_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        arguments.check(arguments.find_recipe(write(tmp_path, text))[1])
    assert len(str(error.value).splitlines()) == 1


def test_each_flag_changes_its_field(tmp_path):
    words = "--dataset photos --mirror --fit whole --lr 0.5 --batch-size 8 --epochs 3"
    words += " --split classes"
    words += rf" --image-size 20x10 --channels 1 --class-level 2 --group-by \d --output {tmp_path}"
    (args, recipe) = arguments.parse("", words.split())
    (training, reading) = (recipe.training, recipe.reading)
    found = (training.mirror, reading.fit, training.learning_rate, training.batch_size)
    assert found == (True, "whole", 0.5, 8) and (training.epochs, training.more_steps) == (3, 0)
    of_folder = {"image_size": (10, 20), "channels": 1, "class_level": 2, "group_by": r"\d"}
    assert args.reading == of_folder | {"split": "classes"}


def test_an_encoder_of_a_file(tmp_path):
    inputs = keras.Input((8, 6, 3))
    keras.Model(inputs, keras.layers.Flatten()(inputs)).save(tmp_path / "e.keras")
    words = ["--dataset", "photos", "--output", str(tmp_path), f"--encoder={tmp_path / 'e.keras'}"]
    (_, recipe) = arguments.parse("", [*words, "--encoder-pixels", "tf"])
    assert (recipe.network.pixels, recipe.network.embedding_dim) == ("tf", 8 * 6 * 3)
    assert (recipe.reading.least_shape, recipe.reading.side) == ((8, 6, 3), 8)
    with pytest.raises(InputError, match=r"--encoder-pixels, one of .*do not scale pixels"):
        arguments.parse("", words)


def test_images_that_are_too_small_for_a_network():
    recipe = RECIPES["fast"].changed(image_shape=(4, 4, 1), least_shape=(1, 1, 1))
    with pytest.raises(InputError, match=r"Change reading\.least_shape"):
        build_encoder(recipe)


def test_a_folder_gets_the_recipe_that_can_train_on_it(tmp_path):
    def recipe_of(data):
        words = ["--dataset", str(data), "--output", str(tmp_path / "output")]
        return arguments.parse("", words)[0].recipe

    around = tmp_path / "unpacked" / "pairs"
    (around / "similar_all_images").mkdir(parents=True)
    assert recipe_of(tmp_path) == "photos"
    (around / "dissimilar_all_images").mkdir()
    for folder in (around, around.parent, tmp_path):
        assert recipe_of(folder) == "pairs"
    assert recipe_of(tmp_path / "missing") == "photos"
    assert recipe_of("mnist") == "article"
