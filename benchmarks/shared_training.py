"""A training shared by two devices beside the same on one: do they learn the same?

    python benchmarks/shared_training.py           # ten steps of each pairing, a minute
    python benchmarks/shared_training.py --whole   # and `fast` to its end, five minutes
    python benchmarks/shared_training.py --cable   # `fast` on two machines, six minutes; as root

Two logical CPUs stand for two cards (tf.distribute.MirroredStrategy), two processes on 127.0.0.1
for two machines (TF_CONFIG). Ten steps: networks in float32 without dropout, from the same
weights with the same batches; the largest difference of a step's loss from that of one device.
--cable: the two machines are network namespaces of this one, each with its own loopback, address
and end of a virtual cable. It is pulled in the third epoch; then it is back, and --resume goes on.
"""

import argparse
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SCRIPT = ROOT / "train_contrastive_siamese_network.py"
WAYS = ("one device", "two logical CPUs", "two processes")
RECIPES = ("article", "keras-io", "fast", "best")  # pairs, a head, all pairs of a batch
STEPS = 10


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--whole", action="store_true", help="`fast` to its end in each way too")
    ap.add_argument("--cable", action="store_true", help="pull the cable between two machines")
    args = ap.parse_args()
    if args.cable:
        return pull_cable()
    print("| ten steps of | " + " | ".join(WAYS[1:]) + " |\n| --- | --- | --- |")
    for recipe in RECIPES:
        (alone, *shared) = [losses(recipe, way) for way in WAYS]
        apart = [furthest(alone, others) for others in shared]
        print(f"| {recipe} | {' | '.join(f'{x:.1e}' for x in apart)} |", flush=True)
    for way in WAYS if args.whole else ():
        with tempfile.TemporaryDirectory() as folder:
            text = run(way, SCRIPT, "--recipe", "fast", "--output", folder)
        (seconds,) = re.findall(r"training took (.*)", text)
        (right,) = re.findall(r"([\d.]+) % of [\d,]+ test pairs right, calling", text)
        print(f"fast on {way}: {right} % of test pairs right, {seconds}", flush=True)


def losses(recipe, way):
    """The loss of each of ten steps of a recipe, in one of WAYS."""
    return json.loads(run(way, __file__, recipe).splitlines()[-1])


def furthest(some, others):
    """The largest difference of two lists of losses, step by step."""
    return max(abs(a - b) for a, b in zip(some, others, strict=True))


def run(way, *command):
    """What a script prints, in one of WAYS; of two processes the first, which is the chief."""
    environments = two_machines() if way == "two processes" else [os.environ]
    command = [sys.executable, __file__, "--as", way, *map(str, command)]
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for environment in environments
    ]
    (text, *_) = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        sys.exit(f"{way}: ended with {[process.returncode for process in started]}")
    return text


def two_machines():
    """The environments of two processes that train together, as two machines do."""
    with socket.socket() as a, socket.socket() as b:
        for free in (a, b):
            free.bind(("127.0.0.1", 0))
        worker = [f"127.0.0.1:{free.getsockname()[1]}" for free in (a, b)]
    tasks = [{"type": "worker", "index": k} for k in range(2)]
    clusters = [{"cluster": {"worker": worker}, "task": task} for task in tasks]
    return [os.environ | {"TF_CONFIG": json.dumps(c)} for c in clusters]


def pull_cable():
    """`fast` on two machines, which lose each other and go on: what the chief says."""
    commands = [f"netns add machine{k}" for k in (0, 1)]
    commands.append("link add end0 netns machine0 type veth peer name end1 netns machine1")
    for k in (0, 1):
        inside = f"-n machine{k}"
        commands.append(f"{inside} addr add 10.77.0.{k + 1}/24 dev end{k}")
        commands += [f"{inside} link set {name} up" for name in ("lo", f"end{k}")]
    clusters = [{"type": "worker", "index": k} for k in (0, 1)]
    worker = ["10.77.0.1:2222", "10.77.0.2:2222"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            for command in commands:
                ip(command)
            for flags in ([], ["--resume"]):
                started = []
                for k, task in enumerate(clusters):
                    config = json.dumps({"cluster": {"worker": worker}, "task": task})
                    command = ["ip", "netns", "exec", f"machine{k}", sys.executable, "-u", SCRIPT]
                    command += ["--recipe", "fast", "--output", folder, *flags]
                    log = open(Path(folder, f"log{k}"), "w+")  # noqa: SIM115
                    environment = os.environ | {"TF_CONFIG": config}
                    how = {"env": environment, "stdout": log, "stderr": log}
                    started.append((subprocess.Popen(command, **how), log))
                while not flags and "Epoch 3/" not in Path(folder, "log0").read_text():
                    time.sleep(1)
                if not flags:
                    ip("-n machine1 link set end1 down")
                before = time.monotonic()
                for process, log in started:
                    process.wait()
                    log.seek(0)
                    print(f"exit {process.returncode} after {time.monotonic() - before:.0f} s:")
                    print("  " + "  ".join(log.readlines()[-3:]), flush=True)
                ip("-n machine1 link set end1 up")
        finally:
            for k in (0, 1):
                ip(f"netns del machine{k}")


def ip(words):
    """Run the command ip of Linux."""
    subprocess.run(["ip", *words.split()], check=True)


def child(way, script, *arguments):
    """Run a script, or ten steps of a recipe, in one of WAYS."""
    from pyimagesearch.system import terminal

    terminal.setup()
    import tensorflow as tf

    if way == "two logical CPUs":
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    if script == __file__:
        return print(json.dumps(ten_steps(*arguments)))
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def ten_steps(name):
    """The losses of ten steps on MNIST digits, by the strategy that this process has."""
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
    with strategy.scope(), tempfile.TemporaryDirectory() as folder:
        model = encoder = siamese_network.build_encoder(recipe)
        for layer in encoder._flatten_layers():
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0
        if recipe.training.pairing != "batch":
            sisters = siamese_network.SisterNetworks(encoder, train.pairs.others.shape[1])
            inputs = [keras.Input(images.shape[1:], dtype="uint8") for _ in "AB"]
            comparison = siamese_network.build_comparison(recipe)
            model = keras.Model(inputs, comparison(sisters(inputs)))
        model.compile(**build.compiling(recipe, 1))
        checkpoint = checkpoints.Checkpoint(folder, {}, recipe)
        history = devices.fit(model, drawn, 1, checkpoint, [checkpoint])
    return history.history["loss"]


if __name__ == "__main__":
    child(*sys.argv[2:]) if sys.argv[1:2] == ["--as"] else main()
