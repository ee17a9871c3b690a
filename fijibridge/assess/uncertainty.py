"""One plus-minus for a volume fraction: users, methods and the finite volume together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..errors import ParameterError


class Uncertainty(NamedTuple):
    """A volume fraction with its plus-minus and where that comes from; standard deviations, as shares of 1."""

    #: Mean over all users and methods.
    fraction: float
    #: Spread between users, between methods, and what is left when both are taken out.
    users: float
    methods: float
    rest: float
    #: Sampling error of the finite volume.
    sampling: float
    #: All four together.
    standard: float
    #: Half-width of the 95 % interval.
    plus_minus: float


def combine(
    readings: Mapping[tuple[str, str], float], *, sampling: float, sampling_freedom: float = 30.0
) -> Uncertainty:
    """Combine the spread between users and methods with the sampling error into one plus-minus.

    It says how far the reading of one such person with one such method may lie from the fraction of the material: the
    spreads are therefore not divided by the number of readings. Users and methods are random effects of a two-way
    table; variances add up, and the 95 % factor is Student's t with the effective degrees of freedom of the sum. What
    all users and methods do wrong together does not show in any spread and is not covered.

    Parameters
    ----------
    readings : volume fractions by (user, method); every user with every method.
    sampling : standard error from `sampling_error`.
    sampling_freedom : degrees of freedom of that estimate.

    Returns
    -------
    Uncertainty.

    Raises
    ------
    ParameterError : a user lacks a method that another has, or there is no reading at all.

    Source: JCGM 100:2008 (GUM), annexes G.4 and H.5; Satterthwaite 1946, Biometrics Bulletin 2, 110.
    """
    table = _table(readings)
    parts = _components(table)
    sampled = (sampling**2, sampling_freedom)
    total = sum(variance for variance, _ in (*parts, sampled))
    spread = [(variance, freedom) for variance, freedom in (*parts, sampled) if variance > 0 and freedom > 0]
    effective = total**2 / sum(v**2 / freedom for v, freedom in spread) if spread else math.inf
    factor = float(stdtrit(effective, 0.975)) if spread else 0.0
    users, methods, rest = (math.sqrt(variance) for variance, _ in parts)
    standard = math.sqrt(total)
    return Uncertainty(float(table.mean()), users, methods, rest, sampling, standard, factor * standard)


def _table(readings: Mapping[tuple[str, str], float]) -> NDArray[np.float64]:
    users = list(dict.fromkeys(user for user, _ in readings))
    methods = list(dict.fromkeys(method for _, method in readings))
    missing = [(user, method) for user in users for method in methods if (user, method) not in readings]
    if missing or not readings:
        lacking = f"user {missing[0][0]} lacks {missing[0][1]}" if missing else "there are none"
        raise ParameterError(f"readings need every user with every method, but {lacking}; leave that method out")
    return np.array([[readings[user, method] for method in methods] for user in users])


def _components(table: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Give (variance, degrees of freedom) of users, methods and the rest; a negative estimate counts as zero."""
    users, methods = table.shape
    if users == 1 or methods == 1:
        alone = float(table.var(ddof=1)) if table.size > 1 else 0.0
        zero = (0.0, 0.0)
        found = (alone, float(table.size - 1))
        return (found, zero, zero) if methods == 1 else (zero, found, zero)
    of_users, of_methods = table.mean(axis=1), table.mean(axis=0)
    rest = table - of_users[:, None] - of_methods[None] + table.mean()
    freedom = (users - 1) * (methods - 1)
    left = float((rest**2).sum() / freedom)
    between_users = max(float(of_users.var(ddof=1)) - left / methods, 0.0)
    between_methods = max(float(of_methods.var(ddof=1)) - left / users, 0.0)
    return (between_users, users - 1.0), (between_methods, methods - 1.0), (left, float(freedom))
