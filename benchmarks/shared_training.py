"""A training shared by two devices beside the same on one: do they learn the same?

    python benchmarks/shared_training.py           # ten steps of each pairing, a minute
    python benchmarks/shared_training.py --whole   # `fast` trained to its end too, five minutes

Two logical CPUs stand for two cards (tf.distribute.MirroredStrategy), two processes on 127.0.0.1
for two machines (TF_CONFIG). Ten steps: networks in float32 without dropout, from the same
weights with the same batches; the largest difference of a step's loss from that of one device.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
WAYS = ("one device", "two logical CPUs", "two processes")
RECIPES = ("article", "keras-io", "fast", "best")  # pairs, a head, all pairs of a batch
STEPS = 10


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--whole", action="store_true", help="`fast` to its end in each way too")
    args = ap.parse_args()

    print("| ten steps of | " + " | ".join(WAYS[1:]) + " |\n| --- | --- | --- |")
    for recipe in RECIPES:
        (alone, *shared) = [losses(recipe, way) for way in WAYS]
        apart = [furthest(alone, others) for others in shared]
        print(f"| {recipe} | {' | '.join(f'{x:.1e}' for x in apart)} |", flush=True)
    if args.whole:
        print("\n| `fast` on | test pairs right | training |\n| --- | --- | --- |")
        for way in WAYS:
            print(f"| {way} | {' | '.join(whole(way))} |", flush=True)


def losses(recipe: str, way: str) -> list[float]:
    """The loss of each of ten steps of a recipe, in one of WAYS."""
    return json.loads(run([__file__, recipe], way).splitlines()[-1])


def furthest(some: list[float], others: list[float]) -> float:
    """The largest difference of two lists of losses, step by step."""
    return max(abs(a - b) for a, b in zip(some, others, strict=True))


def whole(way: str) -> tuple[str, str]:
    """Test pairs right of `fast` trained to its end in one of WAYS, and how long that took."""
    with tempfile.TemporaryDirectory() as folder:
        script = str(ROOT / "train_contrastive_siamese_network.py")
        text = run([script, "--recipe", "fast", "--output", folder], way)
        figures = json.loads((Path(folder) / "metrics.json").read_text())
    (right,) = re.findall(r"([\d.]+)% of \d+ test pairs right, calling", text)
    return f"{right} %", f"{figures['training_seconds']:.0f} s"


def run(command: list[str], way: str) -> str:
    """What a script prints, in one of WAYS; of two processes the first, which is the chief."""
    arguments = [sys.executable, __file__, "--as", way, *command]
    if way != WAYS[2]:
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    both = [
        subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)
        for environment in two_machines()
    ]
    (text, _) = [process.communicate()[0] for process in both]
    if any(process.returncode for process in both):
        sys.exit(f"two processes ended with {[process.returncode for process in both]}")
    return text


def two_machines() -> list[dict[str, str]]:
    """The environments of two processes that train together, at free ports; the chief's first."""
    with socket.socket() as a, socket.socket() as b:
        for s in (a, b):
            s.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{s.getsockname()[1]}" for s in (a, b)]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": k}} for k in range(2)]
    return [os.environ | {"TF_CONFIG": json.dumps(task)} for task in tasks]


def ten_steps(name: str) -> list[float]:
    """The losses of ten steps on MNIST digits, by whatever strategy this process has."""
    import keras
    import numpy as np

    from pyimagesearch import config, siamese_network
    from pyimagesearch.data import batches, datasets, pairs
    from pyimagesearch.data.sets import ImageSet
    from pyimagesearch.training import build, checkpoints, devices

    recipe = config.RECIPES[name].changed(epochs=STEPS)
    strategy = devices.strategy(recipe)
    build.set_seed(42)
    ((images, labels), _) = datasets.load_mnist()
    (images, labels) = (images[:3200], labels[:3200])  # whole batches
    some = pairs.SAMPLERS[recipe.training.pairing](labels, np.random.default_rng(0))
    train = ImageSet(images, labels, some)
    (drawn, _) = batches.batches(train, recipe, 42, shares=strategy.num_replicas_in_sync)
    with strategy.scope():
        encoder = siamese_network.build_encoder(recipe)
        without_dropout(encoder)
        comparison = siamese_network.build_comparison(recipe)
        model = encoder
        if recipe.training.pairing != "batch":
            sisters = siamese_network.SisterNetworks(encoder, train.pairs.others.shape[1])
            inputs = [keras.Input(images.shape[1:], dtype="uint8") for _ in "AB"]
            model = keras.Model(inputs, comparison(sisters(inputs)))
        model.compile(**build.compiling(recipe, 1))
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = checkpoints.Checkpoint(folder, {}, recipe)
            history = devices.fit(
                model,
                recipe,
                checkpoint,
                devices.shared_out(drawn),
                steps_per_epoch=1,
                initial_epoch=0,
                epochs=STEPS,
                verbose=0,
                callbacks=[keras.callbacks.History()],
            )
    return history.history["loss"]


def without_dropout(layer) -> None:
    """Set the rate of every Dropout inside a model to 0."""
    import keras

    for inner in [*getattr(layer, "layers", []), *filter(None, [getattr(layer, "network", None)])]:
        if isinstance(inner, keras.layers.Dropout):
            inner.rate = 0
        without_dropout(inner)


def child() -> None:
    """Run a script, or ten steps of a recipe, in one of WAYS: --as WAY COMMAND."""
    import runpy

    from pyimagesearch.system import terminal

    (way, script, *rest) = sys.argv[2:]
    terminal.setup()
    if way == WAYS[1]:
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    if script == __file__:
        print(json.dumps(ten_steps(*rest)))
    else:
        sys.argv = [script, *rest]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    child() if sys.argv[1:2] == ["--as"] else main()
