"""Labels and classes of any sizes: what holds for all of them, or one clear error."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pyimagesearch.config import Reading
from pyimagesearch.data.pairs import sample_pairs, sample_triplets
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION, split
from pyimagesearch.system.errors import InputError
from pyimagesearch.utils import make_pairs

quickly = settings(max_examples=60, deadline=None, derandomize=True)

labels = st.one_of(
    st.lists(st.integers(-3, 3), max_size=30),
    st.lists(st.sampled_from(["a", "b", "é", ""]), max_size=30),
    st.lists(st.booleans(), max_size=30),
    npst.arrays(st.sampled_from([np.float32, np.uint8]), st.tuples(st.integers(0, 20), st.just(1)),
                elements=st.integers(0, 3)),
)  # fmt: skip


@given(labels, st.integers(0, 100))
@quickly
def test_pairs_of_any_labels_are_true_or_refused(labels, seed):
    flat = np.ravel(np.asarray(labels))
    images = np.arange(len(flat))[:, None]
    for sampler in (sample_pairs, sample_triplets):
        try:
            pairs = sampler(labels, seed)
        except ValueError as error:
            sizes = np.unique(flat, return_counts=True)[1]
            assert "Expected" in str(error)
            assert len(sizes) < 2 or sizes.max() < 2
            continue
        (a, b) = pairs.indices().T
        assert ((flat[a] == flat[b]) == (pairs.labels().ravel() == 1)).all()
        assert (a != b).all()
        assert pairs.y.shape == pairs.others.shape and len(pairs.anchors) == len(pairs.others)
    if len(np.unique(flat)) >= 2:
        pairs, y = make_pairs(images, labels, seed)
        assert pairs.shape == (2 * len(flat), 2, 1) and y.shape == (2 * len(flat), 1)


readings = st.builds(
    Reading, tested=st.sampled_from([0.05, 0.2, 0.4]), held_out=st.sampled_from([0, 0.1, 0.5])
)


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=12),
    readings,
    st.sampled_from([None, "images", "classes"]),
    st.integers(0, 9),
    st.integers(0, 1000),
)
@quickly
def test_a_split_keeps_its_promises_or_is_refused(sizes, reading, by, group, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    n = len(labels)
    groups = None
    if group:  # of up to that many images, inside the classes
        numbers = labels * 100 + rng.integers(0, 40 // group, n)
        groups = np.unique(numbers, return_inverse=True)[1]
    contents = rng.integers(2**62, size=n).astype(np.uint64)
    pixels, names = np.zeros((n, 1, 1, 1), np.uint8), tuple(map(str, range(len(sizes))))
    images = ImageSet(pixels, labels, class_names=names, groups=groups, contents=contents)
    trained = rng.random(n) < rng.choice([0, 0.3, 0.9])
    try:
        (part, how) = split(images, None, reading, seed, by, trained)
    except InputError as error:
        assert "Expected" in str(error) and "Received" in str(error)
        # two classes of eight single images or four of four are always enough
        enough = np.sum(np.array(sizes) >= 8) >= 2 or np.sum(np.array(sizes) >= 4) >= 4
        assert by == "classes" or groups is not None or not enough
        return
    of = np.stack([np.bincount(labels[part == kind], minlength=len(sizes))
                   for kind in (TRAIN, VALIDATION, TEST)])  # fmt: skip
    assert np.sum(of[TRAIN] >= 2) >= 2
    for kind in (TEST, VALIDATION)[: 1 + bool(reading.held_out)]:
        assert of[kind].max() >= 2 and np.count_nonzero(of[kind]) >= 2
    assert reading.held_out or not of[VALIDATION].any()
    if groups is not None:
        assert all(len(set(part[groups == k])) == 1 for k in range(groups.max() + 1))
    if how == "classes":
        assert ((of > 0).sum(axis=0) == 1).all()
    else:
        assert (of[TRAIN] >= np.minimum(sizes, 2)).all()
