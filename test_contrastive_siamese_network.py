"""Show the distances between pairs of images, as a trained Siamese network sees them.

    python test_contrastive_siamese_network.py --input examples

Works at once on the model that ships in output/. Prints a line for each pair and saves one
figure of all of them; shows it where there is a display. Smaller distance = more alike.

In a folder with a subfolder for each class, about half of the pairs are of one class, and pairs
that the model calls wrongly are marked.

A SavedModel is a program: load none that you would not run.
"""

import os
from contextlib import suppress

from pyimagesearch.system import terminal
terminal.setup()  # before Keras and NumPy

import numpy as np
from pyimagesearch import config
from pyimagesearch.data import cache, images, listing
from pyimagesearch.data.pairs import sample_pairs
from pyimagesearch.evaluation import pictures
from pyimagesearch.inference.model import SiameseModel
from pyimagesearch.inference.settings import folder_of
from pyimagesearch.system.terminal import InputError, printable


def main():
    # what was typed
    ap = terminal.Parser(description="Show the distances between pairs of images.",
        parents=[terminal.VERSION],
        epilog="A SavedModel is a program: load none that you would not run.")
    ap.add_argument("-i", "--input", required=True,
        help="path to input directory of testing images; may have a subfolder for each class")
    ap.add_argument("--model", default=config.MODEL_PATH, help=f"({config.MODEL_PATH})")
    ap.add_argument("--pairs", type=terminal.positive_int, default=10, help="how many (10)")
    ap.add_argument("--seed", type=terminal.seed, default=42, help="of the choice of pairs (42)")
    ap.add_argument("--output", help="the figure's file (contrastive_pairs.png beside the model)")
    args = vars(ap.parse_args())
    beside = os.path.join(folder_of(args["model"]), "contrastive_pairs.png")
    args["output"] = args["output"] or beside
    pictures.check_output(args["output"])

    # load the model; its settings say what images it takes
    print("[INFO] loading siamese model...")
    model = SiameseModel(args["model"])
    print(f"[INFO] images are read {images.described(model.image_shape)}")

    # find the images, sorted so that the pairs are the same on every machine, and their classes
    print("[INFO] loading test dataset...")
    level = 0  # no classes, unless its subfolders are two at least
    with suppress(InputError), terminal.shown(False):  # what is left out is said below
        found = listing.find(args["input"], plain=True)
        level = None if len({file.label for file in found.files}) > 1 else 0
    found = listing.find(args["input"], level, plain=True)
    path = {file: os.path.join(args["input"], file.name) for file in found.files}
    own = os.path.realpath(args["output"])  # its own figure is no test image
    files = [file for file in found.files if os.path.realpath(path[file]) != own]
    read = cache.read_files("pixels", [path[file] for file in files], model.image_shape)
    terminal.warn(f"skipped {message}" for message in read.messages.values())
    files = [files[k] for k in read.good]
    testImages = read.values.reshape(-1, *model.image_shape)
    if len(files) < 2:
        received = f"{len(files)} in {printable(args['input'])}"
        raise InputError("a folder with at least 2 readable images", received)
    model.read([path[files[0]]])  # warns where the model knows other images than such

    # draw the pairs; y says which are of one class, None where no classes are known
    (pairs, yOfPair) = draw_pairs(files, found.pairs, args["pairs"], args["seed"])
    (pairA, pairB) = pairs.T

    # every image that is in a pair goes through the network once, in one go
    (used, place) = np.unique(pairs, return_inverse=True)
    feats = model.embed(testImages[used])[place.reshape(pairs.shape)]
    (featsA, featsB) = (feats[:, 0], feats[:, 1])
    distances = model.distance([featsA, featsB])

    # print the distance and the verdict of each pair
    same = [model.judge(distance).same for distance in distances]
    wrong = [y is not None and y != isSame for (y, isSame) in zip(yOfPair, same)]
    names = [str(file) for file in files]
    width = max(len(name) for name in names)
    for (a, b, distance, isSame, isWrong) in zip(pairA, pairB, distances, same, wrong):
        verdict = "same" if isSame else "different"
        verdict += ", wrong" if isWrong else ""
        print(f"{names[a]:{width}}  {names[b]:{width}}  {distance:.4f}  {verdict}")
    if yOfPair[0] is not None:
        print(f"[INFO] {sum(wrong)} of {len(wrong)} pairs are called wrongly")

    # one figure of all pairs
    texts = [f"{d:.2f}{', wrong:' if isWrong else ''}" for (d, isWrong) in zip(distances, wrong)]
    figure = pictures.plot_pairs([testImages[pairA], testImages[pairB]], texts, same,
        args["output"], f"distance; same where it is < {model.threshold:.2f}")
    print(f"[INFO] same where distance < {model.threshold:.3f}; "
        f"figure: {printable(args['output'])}")
    pictures.show(figure)


def draw_pairs(files, ready, count, seed):
    # up to count pairs of N files in random order, none twice, (P, 2), and y of each: of the
    # pairs that a folder holds, or two for each image, with one of its class and of another
    np.random.seed(seed)
    yOfPair = {}
    with suppress(InputError):  # where there are no two classes, or none of two files
        if ready is None:
            drawn = sample_pairs([file.label for file in files], seed)
            known = np.append(drawn.indices(), drawn.labels(), axis=1).reshape(-1, 2, 3)
            known = np.random.permutation(known).reshape(-1, 3)
        else:
            place = {file: k for (k, file) in enumerate(files)}
            known = np.random.permutation(
                [(place[a], place[b], y) for (a, b, y) in ready if {a, b} <= place.keys()])
        yOfPair = {(min(a, b), max(a, b)): y for (a, b, y) in known.tolist()}

    # where neither is known: shuffle the files and take two by two, as often as needed, so
    # that all have their turn
    areKnown = len(yOfPair) > 0
    while not areKnown and len(yOfPair) < min(count, len(files) * (len(files) - 1) // 2):
        shuffled = np.random.permutation(len(files)).tolist()
        yOfPair |= {(min(pair), max(pair)): None for pair in zip(shuffled[::2], shuffled[1::2])}
    return np.array([*yOfPair][:count]), [*yOfPair.values()][:count]


if __name__ == "__main__":
    terminal.run(main)
