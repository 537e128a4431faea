"""Columns of text that are no categories: numbers written as text, dates written as text, free text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np

from .._errors import shown
from .columns import Labels, take
from .iso_dates import seconds_of_texts
from .numeric_text import MISSING_TEXTS, split_text, written_number

__all__ = [
    "NumberFormat",
    "check_times",
    "learn_dates",
    "learn_format",
    "mixed_formats",
    "reading_of",
    "reading_of_dates",
    "reading_of_formats",
    "recurring_numbers",
]  # fmt: skip

# Up to so many distinct values a column of text stays a category whatever it holds: months, ratings, sizes.
FEW_DISTINCT = 20
# Of the distinct values of a column, and of its rows, at least so many must be numbers, or times.
SHARE_OF_DISTINCT, SHARE_OF_ROWS = 0.9, 0.5
# Digits of a whole number from which on a float64 merges neighbours: such texts are identifiers.
_MAX_DIGITS = 15
# Whole numbers may be names if there are at most so many distinct ones for each row that has one.
_RECURRING_SHARE = 0.5
# Of more different words behind numbers, they are hardly units: "12 High St", "7 Mill Lane".
_MOST_UNITS = 5

_DAY_FIRST = r"[0-9]{1,2}([-/.])[0-9]{1,2}\1[0-9]{4}|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}"
_YEAR_FIRST = r"[0-9]{4}([-/.])[0-9]{1,2}\2[0-9]{1,2}|[0-9]{4}-(?:0[1-9]|1[0-2])"
_COMPACT = r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_WORDED = rf"(?:[a-z]{{3,9}},? )?(?:[0-9]{{1,2}}[-. ]+{_MONTH}[-, ]+[0-9]{{2,4}}|{_MONTH} [0-9]{{1,2}},? [0-9]{{4}})"
_CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
_DATE = re.compile(rf"(?:{_DAY_FIRST}|{_YEAR_FIRST}|{_COMPACT}|{_WORDED})(?:[t ]\s*{_CLOCK}.{{0,12}})?", re.IGNORECASE)
_DURATION = re.compile(rf"-?(?:[0-9]+ days?(?:,? [+-]?{_CLOCK})?|{_CLOCK}(?: ?[ap]m)?)", re.IGNORECASE)
_ZONE = re.compile(r":[0-9]{2}(?:[.,][0-9]+)? ?(?:z|[+-][0-9]{2}:?(?:[0-9]{2})?)$", re.IGNORECASE)
_FIRST_NUMBERS = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})[-/.]")
_SHORT_CLOCK = re.compile(r"(?:^|[ -])[0-9]{1,2}:[0-9]{2}$")  # pandas asks for seconds
_SHORT_YEAR = re.compile(r"^[0-9]{1,2}[-/. ]+(?:[0-9]{1,2}|[a-z]+\.?)[-/, ]+[0-9]{2}(?![0-9])", re.IGNORECASE)
_MISSING_IN_PANDAS = ("", "nan", "NaN", "NaT")  # among times; other texts are an error there


class NumberFormat(NamedTuple):
    """How a column of text spells its numbers."""

    decimal: str = "."  # the sign before the decimals, "." or ","
    unit: str = ""  # what stands before or behind every number, such as "%" or "€"


def learn_format(labels: Labels) -> tuple[NumberFormat, np.ndarray] | None:
    """How a column spells its numbers, and these, float64 (n,); None if it is not unmistakably a column of numbers.

    It is one if it has more than 20 distinct numbers, nearly all of its distinct values are numbers of one format, and
    none of them looks like a code: ``"007"``, or a whole number of more than 15 digits.
    """
    values = labels.values
    if labels.declared or len(values) <= FEW_DISTINCT:
        return None
    texts = [value for value in values if isinstance(value, str | bytes)]
    parts = [part for part in map(split_text, texts) if part is not None]
    if len(parts) + len(values) - len(texts) <= FEW_DISTINCT or any(_is_code(number) for number, _ in parts):
        return None
    units = Counter(unit for _, unit in parts).most_common(1)
    unit = units[0][0] if units else ""  # none where the numbers among the texts are no text
    spelled = {NumberFormat(decimal, unit): _parsed(values, decimal, unit) for decimal in (".", ",")}
    best = max(spelled, key=lambda format_: int(np.isfinite(spelled[format_]).sum()))
    is_number = np.isfinite(spelled[best])
    if len(np.unique(spelled[best][is_number])) <= FEW_DISTINCT or not _nearly_all(labels, is_number):
        return None
    return best, take(np.where(is_number, spelled[best], np.nan), labels.positions)


def recurring_numbers(format_: NumberFormat, numbers: np.ndarray) -> tuple[float, ...]:
    """The distinct numbers, ascending, of a column of text (n,) if they may be names, such as those of zones; else ().

    They may be if all are whole and have no unit, and each occurs in two rows on average. A column alone does not tell
    whether its numbers are names or quantities.
    """
    present = numbers[~np.isnan(numbers)]
    distinct = np.unique(present) + 0.0  # no -0.0
    is_exact = (distinct == np.rint(distinct)) & (np.abs(distinct) <= 2.0**53)
    if format_.unit or not is_exact.all() or len(distinct) > _RECURRING_SHARE * len(present):
        return ()
    return tuple(distinct.tolist())


def _is_code(number: str) -> bool:
    """Whether digits are those of a code: a zero in front, or more digits than a float64 holds."""
    digits = number.lstrip("+-")
    return len(digits) > 1 and ((digits[0] == "0" and digits[1].isdigit()) or
                                (digits.isdigit() and len(digits) > _MAX_DIGITS))  # fmt: skip


def _parsed(values: list[Hashable], decimal: str, unit: str) -> np.ndarray:
    """The numbers that distinct values spell, float64; infinity for what is neither a number nor missing."""
    numbers = np.full(len(values), np.inf)
    for i, value in enumerate(values):
        if isinstance(value, str | bytes):
            number = written_number(value, decimal, unit)
            numbers[i] = np.inf if number is None else number
        elif isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
            numbers[i] = value
    return numbers


def _nearly_all(labels: Labels, matches: np.ndarray) -> bool:
    """Whether nearly all distinct values match, and most rows; texts that stand for a missing value do not count."""
    present = np.array([not _says_missing(value) for value in labels.values])
    if (matches & present).sum() < SHARE_OF_DISTINCT * present.sum():
        return False
    n_rows = np.bincount(labels.positions[labels.positions >= 0], minlength=len(present))
    return n_rows[matches & present].sum() >= SHARE_OF_ROWS * n_rows[present].sum()


def _says_missing(value: Any) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and text.strip().lower() in MISSING_TEXTS


def learn_dates(labels: Labels) -> np.ndarray | None:
    """Seconds, float64 (n,), of a column whose texts are dates of ISO 8601; None if they are not.

    It must have more than 20 distinct dates, which are nearly all of its distinct values; others are missing.
    """
    values = labels.values
    if labels.declared or len(values) <= FEW_DISTINCT:
        return None
    seconds, _ = seconds_of_texts(values)
    is_date = np.isfinite(seconds)
    if is_date.sum() <= FEW_DISTINCT or not _nearly_all(labels, is_date):
        return None
    return take(np.where(is_date, seconds, np.nan), labels.positions)


def reading_of_dates(labels: Labels, seconds: np.ndarray, name: Hashable) -> str:
    """What a warning says of a column of text that is read as dates, of these seconds (n,)."""
    is_date = np.isfinite(seconds_of_texts(labels.values)[0])
    is_present = labels.positions >= 0
    missing = is_present & np.isnan(seconds)
    message = f"such as {shown(labels.values[int(is_date.argmax())])}"
    if missing.any():
        other = labels.values[int((~is_date).argmax())]
        message += f"; {missing.sum()} of its {is_present.sum()} values, such as {shown(other)}, are missing"
    return (
        f"is text that was read as dates ({message}). Convert it before fit, as by "
        f"{_conversion(labels, is_date, name, 'to_datetime')}, or keep it as a category with "
        f"categorical_features=[{shown(name)}]."
    )


def check_times(labels: Labels, name: Hashable, label: str) -> None:
    """Raise if a column of text holds dates that are not of ISO 8601, durations or times of day."""
    if labels.declared or len(labels.values) <= FEW_DISTINCT:
        return
    for pattern, what, function in ((_DATE, "dates", "to_datetime"), (_DURATION, "times", "to_timedelta")):
        found = np.array([isinstance(v, str) and bool(pattern.fullmatch(v.strip())) for v in labels.values])
        if found.any() and _nearly_all(labels, found):
            example = labels.values[int(found.argmax())]
            raise ValueError(
                f"X: {label} holds {what} as text, such as {shown(example)}, each of which would be a category of its "
                f"own. Convert them before fit, as by {_conversion(labels, found, name, function)}, or keep them as "
                f"categories with categorical_features=[{shown(name)}]."
            )


def reading_of(
    labels: Labels, format_: NumberFormat, numbers: np.ndarray, name: Hashable, has_codes: bool = False
) -> str:
    """What a warning says of a column of text that is read as numbers (n,), and as categories if it `has_codes`."""
    n_present = int((labels.positions >= 0).sum())
    n_missing = int(np.isnan(numbers[labels.positions >= 0]).sum())
    spelled = [value for value in labels.values if isinstance(value, str | bytes)]
    values = [written_number(value, *format_) for value in spelled]
    read = [(text, value) for text, value in zip(spelled, values, strict=True) if value is not None and value == value]
    message = f"such as {shown(read[0][0])} as {read[0][1]:.15g}" if read else "as most of its values are numbers"
    if n_missing:
        other = next(text for text, value in zip(spelled, values, strict=True) if value is None or value != value)
        message += f"; {n_missing} of its {n_present} values, such as {shown(other)}, are not numbers and are missing"
    steps = _steps([str(text) for text, _ in read], format_)
    is_mixed = len(spelled) < len(labels.values)  # .str makes NaN of numbers
    if steps and is_mixed:
        steps = ".astype(str)" + steps
    line = _assigned(name, "to_numeric", steps, coerce=bool(n_missing) or (bool(steps) and is_mixed))
    how = "numeric and, since its whole numbers recur, as categories, too" if has_codes else "numeric"
    kept = "read it as a category only" if has_codes else "keep it as a category"
    return (
        f"is text that was read as {how} ({message}). Convert it before fit, as by {line}, or {kept} with "
        f"categorical_features=[{shown(name)}]."
    )


def _steps(texts: list[str], format_: NumberFormat) -> str:
    """The methods of pandas that make texts which spell numbers readable for ``pd.to_numeric``."""
    unit = format_.unit
    units = [unit] if any(unit in text for text in texts) else [unit[:1], unit[1:]]  # "$5 net" has the unit "$net"
    rest = texts
    for part in units:
        rest = [text.replace(part, "") for text in rest] if part else rest
    rest = [text.strip() for text in rest]
    marks = set("".join(rest)) - set("0123456789+-eE(\u2212" + format_.decimal)  # between thousands, after a sign
    marks |= {part for part in units if len(part) == 1}
    removed = [re.escape(part).replace("\\ ", " ") for part in units if len(part) > 1]
    if marks:
        removed.append("[" + "".join(f"\\{mark}" if mark in "\\]^" else mark for mark in sorted(marks)) + "]")
    steps = f".str.replace({'|'.join(removed)!r}, '', regex=True)" if removed else ""
    if any("(" in text for text in rest):  # a negative amount in accounts
        steps += ".str.replace('(', '-')"
    if any("\u2212" in text for text in rest):
        steps += r".str.replace('\u2212', '-')"
    return steps + (".str.replace(',', '.')" if format_.decimal == "," else "")


def mixed_formats(labels: Labels, is_text: bool) -> str:
    """For a message, two texts of a column that looks like numbers of several formats, such as "5 %" and "0.05"; or "".

    `is_text`: the column is read as free text, where a unit may be a single letter; of categories, numbers with one
    letter may be names, such as those of houses.
    """
    if labels.declared or len(labels.values) <= FEW_DISTINCT:
        return ""
    parts = [split_text(value) if isinstance(value, str | bytes) else None for value in labels.values]
    units = [None if part is None or not _is_unit(part[1], is_text) else part[1] for part in parts]
    is_number = np.array([unit is not None for unit in units])
    n_units = len({*units} - {None})
    if n_units > _MOST_UNITS or not _nearly_all(labels, is_number) or any(part and _is_code(part[0]) for part in parts):
        return ""
    spelled = [value for value, matches in zip(labels.values, is_number, strict=True) if matches]
    examples = _first_of_each([unit for unit in units if unit is not None], spelled)
    if n_units < 2:  # the decimals differ
        examples = _first_of_each([_decimal_of(value, units[int(is_number.argmax())]) for value in spelled], spelled)
        examples.pop("", None)
    if len(examples) < 2:
        return ""
    first, second = list(examples.values())[:2]
    return f"{shown(first)} and {shown(second)}"


def reading_of_formats(examples: str, name: Hashable, is_text: bool) -> str:
    """What a warning says of a column with `mixed_formats`; "" without."""
    if not examples:
        return ""
    found = "is read as free text" if is_text else "stays a category"
    return (
        f"looks numeric, but not in one format, such as {examples}, and {found}. Write all "
        "values in one format before fit, better as numbers by pd.to_numeric, or name the column if it is meant so: "
        f"{'text_features' if is_text else 'categorical_features'}=[{shown(name)}]."
    )


def _is_unit(text: str, of_one_letter: bool) -> bool:
    """Whether what stands beside a number is a unit, or nothing: signs such as "%" and "€", or a word."""
    rest = text.strip("%$€£¥₹")
    return len(rest) != 1 or of_one_letter


def _first_of_each(kinds: list[str], values: list[Any]) -> dict[str, Any]:
    """The first value of each kind."""
    found: dict[str, Any] = {}
    for kind, value in zip(kinds, values, strict=True):
        found.setdefault(kind, value)
    return found


def _decimal_of(value: Any, unit: Any) -> str:
    """The sign before the decimals, "." or ","; "" where a text is a number with either, or with none."""
    fits = [decimal for decimal in (".", ",") if written_number(value, decimal, unit) is not None]
    return fits[0] if len(fits) == 1 else ""


def _conversion(labels: Labels, is_time: np.ndarray, name: Hashable, function: str) -> str:
    """The line of pandas that converts a column of dates ("to_datetime"), or of durations or times of day."""
    texts = [value.strip() for value, matches in zip(map(str, labels.values), is_time, strict=True) if matches]
    others = [value for value, matches in zip(labels.values, is_time, strict=True) if not matches]
    coerce = any(value not in _MISSING_IN_PANDAS for value in others)
    if function == "to_datetime":
        return _assigned(name, function, coerce=coerce, options=_date_options(texts))
    if all(re.search("[ap]m$", text, re.IGNORECASE) for text in texts):
        seconds, space = ":%S" * (texts[0].count(":") == 2), " " * (" " in texts[0])
        return _assigned(name, "to_datetime", coerce=coerce, options=f", format='%I:%M{seconds}{space}%p'")
    steps, short = "", [text for text in texts if _SHORT_CLOCK.search(text)]
    if short and len(short) == len(texts):
        steps, coerce = " + ':00'", coerce or bool(others)
    elif short:
        steps = r".str.replace('(^|[ -])([0-9]+:[0-9]+)$', r'\1\2:00', regex=True)"
    if any(re.search(",[0-9]+$", text) for text in texts):
        steps += ".str.replace(',', '.')"
    return _assigned(name, function, steps, coerce)


def _date_options(texts: list[str]) -> str:
    """What ``pd.to_datetime`` must be told of these dates, as further arguments."""
    numbers = [(int(m[1]), m[2], int(m[3])) for text in texts if (m := _FIRST_NUMBERS.match(text))]
    is_day_first = any(first > 12 for first, _, _ in numbers) or any(mark == "." for _, mark, _ in numbers)
    options = ", dayfirst=True" if is_day_first and all(second <= 12 for _, _, second in numbers) else ""
    shapes = {re.sub("[0-9]+", "0", re.sub(r"[a-z]+", lambda m: "ab"[len(m[0]) > 3], text.lower())) for text in texts}
    if len({m[0] for text in texts if (m := _ZONE.search(text))}) > 1:
        options += ", utc=True"  # pandas refuses several zones without it
    return options + (", format='mixed'" if len(shapes) > 1 or any(map(_SHORT_YEAR.search, texts)) else "")


def _assigned(name: Hashable, function: str, steps: str = "", coerce: bool = False, options: str = "") -> str:
    """The line of pandas that converts a column; of an array, the function."""
    if not isinstance(name, str):
        return f"pd.{function}"
    column = f"X[{shown(name)}]"
    return f"{column} = pd.{function}({column}{steps}{options}{', errors=' + repr('coerce') if coerce else ''})"
