"""What broken and hostile files do to the image reader. There is nothing to look at if all is well.

    python benchmarks/fuzz_images.py                        # 2,000 files, under a minute
    python benchmarks/fuzz_images.py --files 150 --seed 7   # other files, for another seed

Sound files of every format are cut, bent and mixed up; to these come links, pipes, bombs and
the like. A process of its own reads one after the other, and if one kills it, that file is named.
Exit code 1: a crash, an exception other than ValueError, a message that is not one line with
the file's name, a line written past Python, over two seconds for a file, or over 1 GB of memory.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pyimagesearch.system import terminal
from pyimagesearch.system.names import printable
from pyimagesearch.data import images
from benchmarks.broken_images import CHANGES, SPECIAL, special_files
from benchmarks.sound_images import sound_files


SHAPE = (28, 28, 3)
PATIENCE = 20  # seconds before a file counts as a crash


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--files", type=int, default=2000)
    ap.add_argument("--seed", type=int, default=0)
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(folder, args.files, args.seed)
        errors = os.path.join(folder, "stderr.txt")
        results = read_all(paths, errors)
        with open(errors, "rb") as file:
            written = file.read().decode(errors="replace").splitlines()
    sys.exit(report(results, written))


def report(results, written):
    """Print what came of each file. Returns the exit code."""
    outcomes = [outcome for _, outcome, _, _ in results]
    (slowest, name) = max((seconds, name) for name, _, seconds, _ in results)
    peak = max(memory for _, _, _, memory in results)
    bad = [f"{name}: {outcome}" for name, outcome, _, _ in results if outcome not in GOOD]
    bad += [f"written to stderr: {line}" for line in sorted(set(written))[:10]]
    print(f"files    {len(results):6,}")
    print(f"read     {outcomes.count('read'):6,}")
    print(f"refused  {outcomes.count('refused'):6,}")
    print(f"crashes  {outcomes.count('crash'):6,}")
    print(f"others   {len(bad) - outcomes.count('crash'):6,}")
    print(f"slowest  {slowest:6.2f} s  ({name})")
    print(f"memory   {peak / 1e6:6,.0f} MB at most")
    print("\n".join(bad), end="\n" if bad else "")
    return int(bool(bad) or slowest > 2 or peak > 1e9)


GOOD = ("read", "refused")


def read_all(paths, errors):
    """[(name, outcome, seconds, peak memory in bytes)], from as many processes as it takes."""
    context = multiprocessing.get_context("spawn")
    results, reader = [], None
    for path in paths:
        if reader is None:
            (pipe, other) = context.Pipe()
            reader = context.Process(target=serve, args=(other, errors), daemon=True)
            reader.start()
            other.close()
            pipe.recv()  # it has imported everything
        start = time.perf_counter()
        pipe.send(path)
        try:
            if not pipe.poll(PATIENCE):
                raise EOFError
            (outcome, seconds, memory) = pipe.recv()
        except (EOFError, OSError):
            (outcome, seconds, memory) = ("crash", time.perf_counter() - start, 0)
            reader.kill()
            reader.join()
            reader = None
        results.append((printable(os.path.basename(path)), outcome, seconds, memory))
    if reader:
        pipe.send(None)
        reader.join()
    return results


def serve(pipe, errors):
    """Read the files whose paths come through the pipe, until None comes."""
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    terminal.silence_image_libraries()
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
    pipe.send("ready")
    while (path := pipe.recv()) is not None:
        (start, work) = (time.perf_counter(), time.process_time())
        outcome = read(path)
        # on a busy machine the time that it worked itself
        seconds = min(time.perf_counter() - start, time.process_time() - work)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        pipe.send((outcome, seconds, memory))


def read(path):
    try:
        image = images.read_image(path, SHAPE)
    except ValueError as error:
        clear = str(error).startswith(printable(path)) and str(error).isprintable()
        return "refused" if clear else f"unclear message {error!r}"
    except BaseException as error:
        return f"raised {error!r}"
    return "read" if image.shape == SHAPE and image.dtype == np.uint8 else "a wrong shape"


def write_files(folder, count, seed):
    """Their paths: sound files first, then the special ones, and broken ones up to the count."""
    rng = np.random.default_rng(seed)
    sound = sound_files(rng)
    special = special_files(sound)
    contents = [*sound.items(), *special.items()]
    names = list(sound)
    while len(contents) < count - len(SPECIAL):
        name, other = rng.choice(names, 2)
        change = rng.choice(list(CHANGES))
        data = CHANGES[change](sound[name], rng, sound[other])
        contents.append((f"{len(contents):05}-{change}-{name}", data))
    paths = []
    for name, data in contents:
        paths.append(os.path.join(folder, name))
        Path(paths[-1]).write_bytes(data)
    for name, make in SPECIAL.items():
        paths.append(os.path.join(folder, name))
        make(paths[-1])
    return paths


if __name__ == "__main__":
    main()
