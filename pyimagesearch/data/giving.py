"""Which classes give images to the test and to the validation, where each has little to give."""

import numpy as np


def who_gives(
    need: np.ndarray,
    room: np.ndarray,
    total: np.ndarray,
    chance: np.ndarray,
    shares: np.ndarray,
    many: int,
) -> np.ndarray:
    """Which classes give images to the test and to the validation: bool (2, C).

    need: int (2, C), the fewest images that each class has to give to each part, if any. room,
    total: int (C,), the most that it may give, and has to give. chance: float (C,), its own.
    shares: float (2, 1), of the parts. Of more than `many` classes not every one that could
    serve both parts has to.
    """
    able = (need <= room) & (shares > 0)
    both = need.sum(axis=0) <= room
    likely = np.minimum(shares * total / np.maximum(need, 1), 1)  # gives so often to do its share
    if len(chance) <= many:
        likely = np.where(both & (shares > 0), 1, likely)
    likely = likely / np.where(both, 1, np.maximum(likely.sum(axis=0), 1))
    gives = able & np.stack([chance < likely[0], chance >= 1 - likely[1]])

    for part, order in ((0, np.argsort(chance)), (1, np.argsort(-chance))):
        if not shares[part]:
            continue
        free = able[part] & ~gives[part] & (both | ~gives[1 - part])
        gives[part, order[free[order]][: max(2 - gives[part].sum(), 0)]] = True
        # none is free: one that serves the other part, where that has more than two
        spare = max(gives[1 - part].sum() - 2, 0)
        wanted = max(2 - gives[part].sum(), 0)
        moved = order[(able[part] & ~gives[part] & gives[1 - part])[order]][: min(spare, wanted)]
        (gives[part, moved], gives[1 - part, moved]) = (True, False)
    return gives


def sparingly(
    one: np.ndarray, two: np.ndarray, room: np.ndarray, chance: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Who gives how much, (need, gives) of (2, C), where few classes are large enough.

    A class gives two images to a part, for its same pair, and others one at least, for different
    pairs. one, two: int (2, C), what each class gives to each part where it gives one or two
    images, or more where groups are not cut. room, chance: as for who_gives. wanted: bool (2,),
    which parts there are. None where that cannot be.
    """
    order = np.lexsort((chance, -room))  # the largest first
    (need, gives) = (one.copy(), np.zeros(one.shape, bool))
    left = room.copy()

    def give(part, k, images):
        gives[part, k] = True
        left[k] -= images[part, k]
        need[part, k] = images[part, k]

    for part in np.flatnonzero(wanted):
        if not len(able := order[two[part, order] <= left[order]]):
            return None
        give(part, able[0], two)
    for k in order:
        parts = [part for part in np.flatnonzero(wanted) if not gives[part, k]]
        for part in sorted(parts, key=lambda part: gives[part].sum()):
            if one[part, k] <= left[k]:
                give(part, k, one)
        # a same pair of its own for the figures, where there is room for it
        if gives[0, k] and need[0, k] < two[0, k] <= left[k] + need[0, k]:
            left[k] += need[0, k]
            give(0, k, two)
    return (need, gives) if (gives.sum(axis=1)[wanted] >= 2).all() else None
