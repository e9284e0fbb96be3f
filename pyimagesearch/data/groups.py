"""What belongs together and is never on two sides of a split: by names, by a list, by pairs."""

import logging
import os
import re
from collections.abc import Sequence

import numpy as np

from pyimagesearch.data.layout import Found
from pyimagesearch.data.pairs import Pairs
from pyimagesearch.data.ready import NONE_TIED, PART_NAMES
from pyimagesearch.data.splits import connected
from pyimagesearch.system.errors import InputError
from pyimagesearch.system.errors import printable

log = logging.getLogger(__name__)


def pattern(group_by: str | None) -> re.Pattern[str] | None:
    """The regular expression of --group-by. Raises InputError where it is none."""
    try:
        return re.compile(group_by) if group_by else None
    except re.error as error:
        raise InputError(
            f"Expected a regular expression to group by. Received: {group_by!r} ({error})."
        ) from None


def of(
    files: Sequence[Found],
    pattern: re.Pattern[str] | None,
    pairs: Pairs | None,
    tied: np.ndarray = NONE_TIED,
    parted: bool = False,
) -> np.ndarray | None:
    """int32 (N,): one number for images that belong together; None where nothing says it.

    These are images of one name by the pattern, of one group by a list, those in one pair, and
    those that are tied, int (E, 2). parted: whether the files' parts are given.
    Raises InputError where a group then lies in two of them, or the pattern matches nothing.
    """
    listed = [found.group or None for found in files] if pairs is None else []
    if not pattern and pairs is None and not any(listed):
        return None
    edges = [tied] if pairs is None else [tied, pairs.indices()]
    if pattern:
        named = [_named(pattern, found.name) for found in files]
        if not any(named):
            raise InputError(
                f"Expected --group-by to match names of files. Received: {pattern.pattern}, which "
                f"matches none of {len(files):,}, {printable(files[0].name)} among them."
            )
        edges.append(_edges(named))
        _say(named, f"by {pattern.pattern}", "do not match")
    if any(listed):
        edges.append(_edges(listed))
        _say(listed, "by the list", "have none there")
    groups = connected(len(files), np.concatenate(edges))
    if parted:
        _refuse_across(groups, files)
    return groups


def _named(pattern, name):
    match = pattern.search(name.replace(os.sep, "/"))
    return match and ((match[1] if pattern.groups else None) or match[0])


def _edges(keys):
    first: dict[str, int] = {}
    same = [(first.setdefault(key, k), k) for k, key in enumerate(keys) if key is not None]
    return np.array(same, int).reshape(-1, 2)


def _say(keys, how, lacking):
    alone = sum(key is None for key in keys)
    count = len({key for key in keys if key is not None}) + alone
    log.info(
        "%s groups %s%s", f"{count:,}", how,
        f"; {alone:,} files {lacking} and are groups of their own" if alone else "",
    )  # fmt: skip


def _refuse_across(groups, files):
    parts = np.array([found.part for found in files])
    (first, group) = np.unique(groups, return_index=True, return_inverse=True)[1:]
    across = np.flatnonzero(parts != parts[first[group]])
    if len(across):
        shown = [
            f"{files[k].shown()} in {PART_NAMES[files[k].part]}"
            for k in (first[group[across[0]]], across[0])
        ]
        count = len(np.unique(group[across]))
        more = f", and so are {count - 1:,} other groups" if count > 1 else ""
        raise InputError(
            "Expected each group on one side of the split that is given. Received: "
            f"{' and '.join(shown)}, which are of one group{more}. Move them together, leave out "
            "the groups, or leave out the split."
        )
