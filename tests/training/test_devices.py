"""What a training computes on."""

import os

import pytest
import tensorflow as tf

from pyimagesearch import config
from pyimagesearch.networks import acceleration
from pyimagesearch.siamese_network import build_encoder
from pyimagesearch.training import devices


@pytest.mark.parametrize(
    "bfloat16, precision", [(True, "bfloat16 with float32 weights"), (False, "float32")]
)
def test_device_and_precision(monkeypatch, bfloat16, precision):
    monkeypatch.setattr(acceleration, "has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for name in ("article", "best"):
        encoder = build_encoder(config.RECIPES[name], accelerated=True)
        assert devices.describe(encoder) == {"device": "2 CPU cores", "precision": precision}
    # what is saved, and what branches or has batch statistics, is float32
    encoder = build_encoder(config.RECIPES["keras-io"], accelerated=True)
    assert devices.describe(encoder)["precision"] == "float32"
    assert devices.describe(build_encoder(config.RECIPES["fast"]))["precision"] == "float32"


def test_a_gpu_is_named_and_its_memory_grows(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first", "second"])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"device_name": f"the {gpu}"}
    )
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, grow: grown.append((gpu, grow))
    )
    devices.let_memory_grow()
    assert grown == [("first", True), ("second", True)]
    encoder = build_encoder(config.RECIPES["keras-io"])
    assert devices.describe(encoder)["device"] == "the first, the second"


def test_where_tensorflow_has_begun_its_way_stays(monkeypatch):
    def too_late(gpu, grow):
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["first"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", too_late)
    devices.let_memory_grow()
