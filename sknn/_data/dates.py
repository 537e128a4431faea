"""What a date is in the calendar, as numbers for a network.

The same lines serve arrays of numpy and tensors of torch, so that an export computes what `predict` computes.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["DATE_FEATURES", "date_features"]

# The year is plain, all others are positions on a circle, on which the last day of a year is beside the first one.
_CYCLES = ("month", "day of year", "weekday", "hour")
DATE_FEATURES = ("year", *(f"{function} of {cycle}" for cycle in _CYCLES for function in ("sine", "cosine")))
_DAYS_OF_400_YEARS = 146_097
_DAYS_TO_1970 = 719_528  # from the first day of the year 0 of the Gregorian calendar


def date_features(seconds: Any, xp: Any) -> Any:
    """The `DATE_FEATURES` of dates, in UTC.

    Parameters
    ----------
    seconds : array or tensor float64 (...)
        Seconds since 1970; NaN for missing, for which all features are NaN.
    xp : module
        numpy or torch, as `seconds` is of.

    Returns
    -------
    features : array or tensor float64 (..., 9)
    """
    days = xp.floor(seconds / 86_400)
    day_share = (seconds - days * 86_400) / 86_400  # continuous, so that minutes count
    year = xp.floor((days + _DAYS_TO_1970) / (_DAYS_OF_400_YEARS / 400))  # at most one too large or too small
    year = year - (days < _first_day(year, xp)) * 1.0
    year = year + (days >= _first_day(year + 1, xp)) * 1.0
    first = _first_day(year, xp)
    n_days = _first_day(year + 1, xp) - first
    day = days - first
    # Counted from the first of March, months have the same lengths in every year.
    since_march = day - (n_days - 306)
    since_march = since_march + (since_march < 0) * n_days
    month = xp.floor((5 * since_march + 2) / 153) + 2
    month = month - (month >= 12) * 12.0
    weekday = days + 3 - 7 * xp.floor((days + 3) / 7)  # 1970 began on a Thursday; Monday is 0
    features = [year]
    for share in (month / 12, (day + day_share) / n_days, weekday / 7, day_share):
        features += [xp.sin(2 * math.pi * share), xp.cos(2 * math.pi * share)]
    return xp.stack(features, -1)


def _first_day(year: Any, xp: Any) -> Any:
    """Days from 1970 to the first of January."""
    before = year - 1
    return 365 * year + xp.floor(before / 4) - xp.floor(before / 100) + xp.floor(before / 400) + (1 - _DAYS_TO_1970)
