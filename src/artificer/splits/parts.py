"""How rows are dealt to parts: one function a rule (strata, groups, time), NumPy only.

Legend: n rows, k parts or folds, ``part`` int64 (n,) with the number of the part of each row, -1 for rows that stay in
training always. ``weights`` (k,) are the wanted shares of the parts and add up to 1.
"""

from __future__ import annotations

import numpy as np

from artificer.types import MISSING_TIME, Doubles, Ints, Task

MOST_GREEDY_GROUPS = 2_000
"""So many groups are placed one by one, the largest first; the rest are too small to matter and are dealt."""

_REGRESSION_STRATA = 10


def strata_of(task: Task, y: Doubles | Ints, k: int) -> Ints:
    """Give each row its stratum: the class, or for regression a slice of the sorted target (at most ten slices).

    Slices hold at least `k` rows, so that each of k parts can get one of each.
    """
    if task.is_classification:
        return np.unique(y, return_inverse=True)[1].reshape(-1).astype(np.int64)
    n = len(y)
    slices = max(1, min(_REGRESSION_STRATA, n // max(k, 1)))
    rank = np.empty(n, np.int64)
    rank[np.argsort(y, kind="stable")] = np.arange(n)
    strata: Ints = rank * slices // max(n, 1)
    return strata


def counts_for_test(counts: Ints, share: float, keep_classes: bool) -> Ints:
    """Say how many rows of each stratum go to the test part: largest remainders, so within one row of the share.

    With `keep_classes`, a class of one row stays in training, and one of at least three rows (two where there are only
    two classes) has a row on both sides.
    """
    n = int(counts.sum())
    total = min(max(round(n * share), 1), n - 1)
    exact = counts * share
    taken = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - taken), kind="stable")
    taken[order[: max(total - int(taken.sum()), 0)]] += 1
    if keep_classes:
        enough = counts >= (2 if len(counts) <= 2 else 3)
        taken = np.where(enough, np.maximum(taken, 1), taken)
        taken = np.minimum(taken, np.maximum(counts - 1, 0))
    else:
        taken = np.minimum(taken, counts)
    result: Ints = taken.astype(np.int64)
    return result


def choose_test(strata: Ints, share: float, keep_classes: bool, rng: np.random.Generator) -> Ints:
    """Draw the test rows of a stratified random split, sorted."""
    taken = counts_for_test(np.bincount(strata), share, keep_classes)
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    sorted_strata = strata[order]
    first = np.searchsorted(sorted_strata, np.arange(len(taken)))
    rank = np.arange(len(order)) - first[sorted_strata]
    return np.sort(order[rank < taken[sorted_strata]])


def deal_strata(strata: Ints, k: int, train_singles: bool, rng: np.random.Generator) -> Ints:
    """Deal rows to k parts, stratum after stratum, the next stratum going on where the last one stopped.

    So every part's size, and its share of every stratum, is within one row of the others'.
    """
    n = len(strata)
    counts = np.bincount(strata)
    part = np.full(n, -1, np.int64)
    order = rng.permutation(n)
    order = order[np.argsort(strata[order], kind="stable")]
    if train_singles and (counts != 1).any():
        order = order[counts[strata[order]] > 1]
    part[order] = np.arange(len(order)) % k
    return part


def deal_groups(groups: Ints, strata: Ints, weights: Doubles, fixed: Ints, rng: np.random.Generator) -> Ints:
    """Deal whole groups to parts so that sizes and strata come close to the wanted shares.

    The large groups go, one after another, to the part that is left least unbalanced (as in scikit-learn's
    StratifiedGroupKFold); the many small ones are dealt in a low-discrepancy order within their commonest stratum.

    Parameters
    ----------
    groups : int64 (n,), codes from 0 without holes.
    strata : int64 (n,).
    weights : (k,).
    fixed : int64 (g,), the part of groups that have one already, -1 where it is to be found, -2 for groups left out.

    Returns
    -------
    int64 (g,) : part of each group, -1 for those left out.
    """
    n_groups, n_strata, k = int(groups.max()) + 1, int(strata.max()) + 1, len(weights)
    sizes = np.bincount(groups, minlength=n_groups)
    part = fixed.copy()
    free = np.flatnonzero(part == -1)
    order = rng.permutation(free)
    order = order[np.argsort(-sizes[order], kind="stable")]
    # A table groups × strata may not fit for thousands of classes: only the greedy ones get a row.
    greedy, rest = order[:MOST_GREEDY_GROUPS], order[MOST_GREEDY_GROUPS:]
    row_of = np.full(n_groups, -1, np.int64)
    row_of[greedy] = np.arange(len(greedy))
    placed = row_of[groups] >= 0
    table = np.zeros((len(greedy), n_strata))
    np.add.at(table, (row_of[groups[placed]], strata[placed]), 1.0)
    totals = np.bincount(strata, minlength=n_strata).astype(float)
    filled = np.zeros((k, n_strata))
    for number in range(k):
        member = part[groups] == number
        filled[number] = np.bincount(strata[member], minlength=n_strata)
    # Rare strata weigh as much as common ones; the size of the part counts like one more stratum. What is wanted is a
    # share of what has been placed so far, so that the parts are balanced at every moment, also when the rest is dealt.
    scale = 1.0 / np.maximum(totals, 1.0) ** 2
    size_scale = 1.0 / max(totals.sum(), 1.0) ** 2
    so_far = filled.sum(axis=0)
    for index, group in enumerate(greedy):
        new = table[index]
        so_far += new
        lack = weights[:, None] * so_far - filled  # (k, strata), before this group is placed
        size_lack = lack.sum(axis=1)
        # |lack - new|² - |lack|², the change of the total unbalance, for each part
        change = ((new * new - 2.0 * lack * new) * scale).sum(axis=1)
        size = new.sum()
        best = int(np.argmin(change + (size * size - 2.0 * size_lack * size) * size_scale))
        part[group] = best
        filled[best] += new
    if len(rest):
        common = np.zeros(n_groups, np.int64)
        common[groups] = strata
        rest = rest[np.argsort(common[rest], kind="stable")]
        golden = (np.sqrt(5.0) - 1.0) / 2.0
        place = (np.arange(len(rest)) * golden + rng.random()) % 1.0
        part[rest] = np.minimum(np.searchsorted(np.cumsum(weights), place, side="right"), k - 1)
    part[part == -2] = -1
    return _without_empty_parts(part, sizes, k)


def _without_empty_parts(part: Ints, sizes: Ints, k: int) -> Ints:
    """Give an empty part the smallest group of the part that has the most groups."""
    for number in range(k):
        if (part == number).any():
            continue
        donor = int(np.argmax(np.bincount(part[part >= 0], minlength=k)))
        candidates = np.flatnonzero(part == donor)
        part[candidates[np.argmin(sizes[candidates])]] = number
    return part


def time_codes(times: Ints | Doubles) -> Ints:
    """Number the distinct moments from 0, oldest first. A missing time counts as older than every known one."""
    moments = np.asarray(times)
    if moments.dtype.kind == "M":
        missing = np.isnat(moments)
        moments = moments.astype("datetime64[us]").astype(np.int64)
        moments = np.where(missing, np.iinfo(np.int64).min, moments)
    elif moments.dtype.kind == "f":
        moments = np.where(np.isnan(moments), -np.inf, moments)
    return np.unique(moments, return_inverse=True)[1].reshape(-1).astype(np.int64)


def as_seconds(times: Ints | Doubles) -> Doubles:
    """Times as float64 seconds (whatever unit plain numbers are in), -inf for missing."""
    moments = np.asarray(times)
    if moments.dtype.kind == "M":
        seconds = moments.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(moments), -np.inf, seconds)
    floats = moments.astype(np.float64)
    return np.where(np.isnan(floats) | (floats <= MISSING_TIME), -np.inf, floats)


def merged(first: Ints, second: Ints) -> Ints:
    """Codes (n,) of the finest groups that part neither those of `first` nor those of `second`.

    Examples
    --------
    >>> merged(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left = np.unique(first, return_inverse=True)[1].reshape(-1)
    right = np.unique(second, return_inverse=True)[1].reshape(-1)
    groups = int(left.max()) + 1
    nodes = groups + int(right.max()) + 1
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, groups + right)), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1]
    return np.unique(component[left], return_inverse=True)[1].reshape(-1).astype(np.int64)


def inner_parts(n: int, k: int, seed: int, groups: Ints | None = None, times: Ints | Doubles | None = None) -> Ints:
    """The part (n,) of each row within training, of `k`: rows of one part are encoded by what the others say.

    Groups stay whole. With times parts are stretches of it, as rows that happened side by side tell of each other; a
    group is where most of its rows are.

    Examples
    --------
    >>> inner_parts(6, 3, 0, times=np.array([9, 1, 5, 8, 2, 6])).tolist()
    [2, 0, 1, 2, 0, 1]
    >>> found = inner_parts(6, 3, 0, groups=np.array([4, 4, 7, 7, 9, 9]))
    >>> bool((found[::2] == found[1::2]).all()), len(set(found.tolist()))
    (True, 3)

    References
    ----------
    Racine, J. Consistent cross-validatory model-selection for dependent data: hv-block cross-validation. Journal of
    Econometrics 99, 2000.
    """
    if times is not None:
        codes = time_codes(times)
        older = np.concatenate([[0], np.cumsum(np.bincount(codes))])  # rows older than moment i
        part: Ints = older[codes] * k // n
        return part if groups is None else _most_of(part, groups, k)
    rng = np.random.default_rng(seed)
    if groups is None:
        return np.asarray(rng.permutation(np.arange(n) % k), dtype=np.int64)
    codes = np.unique(groups, return_inverse=True)[1].reshape(-1)
    count = int(codes.max()) + 1
    place = np.empty(count, dtype=np.int64)
    order = rng.permutation(count)
    sizes = np.bincount(codes)[order]
    # Large groups are dealt first, in turn, so that parts are about as large as each other.
    place[order[np.argsort(-sizes, kind="stable")]] = np.arange(count) % k
    return place[codes]


def _most_of(part: Ints, groups: Ints, k: int) -> Ints:
    codes = np.unique(groups, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(codes * k + part, minlength=(int(codes.max()) + 1) * k).reshape(-1, k)
    return np.asarray(counts.argmax(axis=1)[codes], dtype=np.int64)
