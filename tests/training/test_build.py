"""What is trained: optimizer and steps, the weights to start from, the images behind them."""

import keras
import numpy as np
import pytest

from pyimagesearch import config
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.data.sets import DataSet, ImageSet, pixel_digests
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.system.terminal import InputError
from pyimagesearch.training import build


def test_weights_to_start_from(tmp_path):
    recipe = config.RECIPES["keras-io"].changed(weights=str(tmp_path / "encoder.keras"))
    source, encoder = build_encoder(recipe), build_encoder(recipe)
    source.save(recipe.network.weights)
    build.load_weights(encoder, recipe)
    for a, b in zip(source.get_weights(), encoder.get_weights()):
        assert (a == b).all()
    other = build_encoder(recipe.changed(embedding_dim=11))
    with pytest.raises(InputError, match="with this network and image size"):
        build.load_weights(other, recipe)
    (tmp_path / "encoder.keras").write_text("abc")
    with pytest.raises(InputError, match=r"Expected a file encoder\.keras"):
        build.load_weights(encoder, recipe)


def test_muon_makes_a_kernel_s_directions_about_equally_long():
    steps = [np.diag([3.0, 1.0]), np.diag([3.0, 1.0])[None, None], np.array([3.0, -1.0])]
    kernels = [keras.Variable(0 * step) for step in steps]
    build.OPTIMIZERS["muon"](0.01).apply([*map(keras.ops.convert_to_tensor, steps)], kernels)
    x = np.array([3, 1]) / 10**0.5  # of length 1, then 0.68 and 1.04
    for _ in range(3):
        x = 3.4445 * x - 4.775 * x**3 + 2.0315 * x**5
    wanted = -0.01 * 0.2 * 2**0.5 * np.diag(x)
    for kernel, step in zip(kernels, (wanted, wanted, [-0.015, 0.015])):  # the last by Adam
        np.testing.assert_allclose(np.squeeze(kernel), step, atol=1e-6)


def a_part(start, stop):
    """Images of one pixel, each its own shade."""
    labels = np.arange(stop - start, dtype=np.int32) % 2
    pixels = np.arange(start, stop, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(pixels, labels, sample_pairs(labels, 0))


def test_what_was_trained_on_is_all_but_the_test():
    (train, held, test) = (a_part(0, 8), a_part(8, 12), a_part(12, 20))
    every = pixel_digests(np.arange(20, dtype=np.uint8).reshape(-1, 1, 1, 1))
    found = build.trained_on(DataSet(train, held, held, test), every[16:18])
    np.testing.assert_array_equal(found, np.unique(every[[*range(12), 16, 17]]))
    # a recipe that holds out none: the test only shows its loss, and nothing is chosen by it
    found = build.trained_on(DataSet(train, test, train, test))
    np.testing.assert_array_equal(found, np.unique(every[:8]))


def test_digests_beside_the_weights(tmp_path, said):
    recipe = config.RECIPES["fast"].changed(weights=str(tmp_path / "encoder.keras"))
    assert build.known_digests(recipe) is None and not said()  # no such file
    (tmp_path / "encoder.keras").touch()
    assert build.known_digests(recipe) is None
    assert "says which images it was trained on" in said()
    file = tmp_path / "contrastive_siamese_model" / "assets.extra" / "trained_on.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.array([3, 2**63], np.uint64))
    assert build.known_digests(recipe).tolist() == [3, 2**63]
    for damaged in (b"", b"text", file.read_bytes()[:-3]):
        file.write_bytes(damaged)
        assert build.known_digests(recipe) is None


@pytest.mark.parametrize(("count", "side", "new", "steps"), [
    (640, 128, False, 140),  # eight epochs of ten steps, and sixty steps
    (640, 256, False, 40), (640, 128, True, 70),  # a quarter of 14 epochs; 60 steps and an epoch
    (64, 128, False, 68), (64, 32, False, 68),  # smaller ones are enlarged
])  # fmt: skip
def test_steps_follow_number_size_and_purpose_of_photos(count, side, new, steps):
    train = ImageSet(np.broadcast_to(np.zeros(1, np.uint8), (count, side, side, 3)), None)
    recipe = build.fitted(config.RECIPES["photos"], train, new)
    assert recipe.training.epochs * (count // 64) == steps
