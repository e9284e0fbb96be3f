"""Labels, vectors and distances of any shape: what holds for all of them, or one clear error."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pyimagesearch.config import Reading
from pyimagesearch.data.pairs import sample_pairs, sample_triplets
from pyimagesearch.data.sets import ImageSet
from pyimagesearch.data.splits import TEST, TRAIN, VALIDATION
from pyimagesearch.data.splits import split as assign
from pyimagesearch.metrics import binary_cross_entropy, contrastive_loss, triplet_loss
from pyimagesearch.system.errors import InputError
from pyimagesearch.utils import cosine_distance, euclidean_distance, make_pairs

quickly = settings(max_examples=60, deadline=None, derandomize=True)

labels = st.one_of(
    st.lists(st.integers(-3, 3), max_size=30),
    st.lists(st.sampled_from(["a", "b", "é", ""]), max_size=30),
    st.lists(st.booleans(), max_size=30),
    npst.arrays(st.sampled_from([np.float32, np.uint8]), st.tuples(st.integers(0, 20), st.just(1)),
                elements=st.integers(0, 3)),
)  # fmt: skip
numbers = st.floats(-1e3, 1e3, width=32)


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
    st.lists(st.integers(1, 40), min_size=2, max_size=12)
    | st.lists(st.integers(2, 9), min_size=101, max_size=130),
    readings,
    st.sampled_from([None, "images", "classes"]),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 1000),
)
@quickly
def test_a_split_keeps_its_promises_or_is_refused(sizes, reading, split, group, grouped, seed):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    n = len(labels)
    # groups of up to `group` images, inside the classes
    groups = np.unique(labels * 100 + rng.integers(0, 40 // group, n), return_inverse=True)[1]
    images = ImageSet(
        np.zeros((n, 1, 1, 1), np.uint8),
        labels,
        class_names=tuple(map(str, range(len(sizes)))),
        groups=groups if grouped else None,
        contents=rng.integers(2**62, size=n).astype(np.uint64),
    )
    trained = rng.random(n) < rng.choice([0, 0.3, 0.9])
    try:
        (part, how) = assign(images, None, reading, seed, split, trained)
    except InputError as error:
        assert "Expected" in str(error) and "Received" in str(error)
        # two classes of eight single images, four of four, or six classes are always enough
        sizes = np.array(sizes)
        enough = (np.sum(sizes >= 8) >= 2 or np.sum(sizes >= 4) >= 4) and not grouped
        assert not (split in (None, "images") and enough)
        return
    of = np.stack([np.bincount(labels[part == kind], minlength=len(sizes))
                   for kind in (TRAIN, VALIDATION, TEST)])  # fmt: skip
    wanted = (TRAIN, TEST, VALIDATION) if reading.held_out else (TRAIN, TEST)
    for kind in wanted:
        assert np.sum(of[kind] >= 2) >= 2
    assert reading.held_out or not of[VALIDATION].any()
    if grouped:
        assert all(len(set(part[groups == k])) == 1 for k in range(groups.max() + 1))
    if how == "classes":
        assert ((of > 0).sum(axis=0) == 1).all()
    else:
        assert (of[VALIDATION] + of[TEST] <= np.array(sizes) // 2).all()


vectors = st.integers(1, 6).flatmap(
    lambda n: st.integers(1, 5).flatmap(
        lambda d: st.tuples(*[npst.arrays(np.float32, (n, d), elements=numbers)] * 2)
    )
)


@given(vectors)
@quickly
def test_distances_are_symmetric_bounded_and_finite(pair):
    (a, b) = pair
    for distance, highest in ((euclidean_distance, np.inf), (cosine_distance, 2 + 1e-5)):
        there, back = np.asarray(distance([a, b])), np.asarray(distance([b, a]))
        assert there.shape == (len(a), 1) and there.dtype == np.float32
        assert np.isfinite(there).all() and (there == back).all()
        assert (there > -1e-5).all() and (there <= highest).all()
    assert (np.asarray(euclidean_distance([a, a])) <= 1e-3).all()


distances = npst.arrays(np.float32, st.integers(1, 20), elements=st.floats(0, 100, width=32))


@given(distances, st.data())
@quickly
def test_losses_are_not_negative_and_need_one_label_each(d, data):
    y = data.draw(npst.arrays(np.int64, len(d), elements=st.integers(0, 1)))
    margin = data.draw(st.floats(0, 5))
    expected = np.mean(np.where(y == 1, d.astype(float) ** 2, np.maximum(margin - d, 0.0) ** 2))
    np.testing.assert_allclose(contrastive_loss(y, d, margin), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        contrastive_loss(y[:, None], d, margin), contrastive_loss(y, d[:, None], margin)
    )
    assert float(binary_cross_entropy(y, np.minimum(d, 1))) >= 0
    both = np.repeat(d, 2)
    assert float(triplet_loss([1, 0] * len(d), both, margin)) >= 0
    for loss in (contrastive_loss, binary_cross_entropy, triplet_loss):
        try:
            loss(np.append(y, 1), d)
        except ValueError as error:
            assert "one label for each distance" in str(error)
        else:
            raise AssertionError(f"{loss.__name__} took {len(d) + 1} labels for {len(d)} distances")
