"""Counts and tf-idf weights of character and word n-grams of many texts, without a Python loop over characters.

The file needs numpy only, since a predictor that is exported to numpy contains it as source text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# A chunk is counted by one sort of 64-bit keys: the hash of an n-gram above, its row in the chunk below.
_ROW_BITS = 12
_MAX_ROWS, _MAX_CHUNK = 1 << _ROW_BITS, 1 << 19  # rows and characters in a chunk: about 100 MB while it is counted
_WORD_BIT = np.uint64(1 << 63)  # set in the hashes of words and pairs of words
_BASE, _PAIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)  # odd, so that no bits are lost
_FIRST = np.uint64(0xA0761D6478BD642F)  # added to a word that is one of the first
_SPACE, _LETTER, _MARK, _SYMBOL, _ALONE = range(5)
# Scripts written without spaces: Thai to Tibetan, Burmese, Khmer, Japanese, Chinese. Each character is a token.
_WITHOUT_SPACES = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x30FF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9D), (0x20000, 0x3FFFF),
)  # fmt: skip


class Ngrams(NamedTuple):
    """Which n-grams of a text are counted; both ends of a range are included.

    Attributes
    ----------
    characters : (int, int)
        Lengths of the n-grams of characters, >= 2, taken within each word between white space, which has a space
        before and behind it, as by ``analyzer="char_wb"`` of scikit-learn; (0, 0) for none.
    words : (int, int)
        Lengths of the n-grams of words, (1, 1), (1, 2) or (2, 2); (0, 0) for none. A word is a run of letters, digits,
        marks and underscores, a run of one symbol ("!!!"), or a character of a script without spaces.
    n_first : int
        So many words at the start of a text are counted once more, as first words: they say what a question asks for.
    max_characters : int
        What follows in a text is cut off.
    """

    characters: tuple[int, int] = (2, 5)
    words: tuple[int, int] = (1, 2)
    n_first: int = 4
    max_characters: int = 20_000


class Counts(NamedTuple):
    """How often each text contains each n-gram, as the arrays of a sparse matrix by rows."""

    data: np.ndarray  # float32
    indices: np.ndarray  # int32, columns
    indptr: np.ndarray  # (n_texts + 1,)
    shape: tuple[int, int]  # (n_texts, n_vocabulary)


def learn_vocabulary(
    texts: Sequence[str], ngrams: Ngrams, max_features: int, min_count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the n-grams that most texts contain, ascending uint64, and how many texts contain each, int64.

    At most `max_features`; those of fewer than `min_count` texts are left out. Among equally frequent ones the smaller
    hash counts.
    """
    hashes, frequency = np.empty(0, np.uint64), np.empty(0, np.int64)
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    n_waiting = 0
    for _, _, keys, _ in _counted_chunks(texts, ngrams):
        waiting.append(_runs(keys >> np.uint64(_ROW_BITS)))  # a key is one n-gram in one text
        n_waiting += len(waiting[-1][0])
        if n_waiting > max(len(hashes), 1 << 22):
            hashes, frequency = _merged([(hashes, frequency), *waiting])
            waiting, n_waiting = [], 0
    hashes, frequency = _merged([(hashes, frequency), *waiting])
    hashes, frequency = hashes[frequency >= min_count], frequency[frequency >= min_count]
    if len(hashes) > max_features:
        kept = np.sort(np.argsort(-frequency, kind="stable")[:max_features])
        hashes, frequency = hashes[kept], frequency[kept]
    return hashes << np.uint64(_ROW_BITS), frequency


def ngram_counts(texts: Sequence[str], ngrams: Ngrams, vocabulary: np.ndarray) -> Counts:
    """How often each text contains each n-gram of the vocabulary."""
    counts: list[np.ndarray] = []
    columns: list[np.ndarray] = []
    n_stored = np.zeros(len(texts), np.int64)
    for first, n_rows, keys, n_times in _counted_chunks(texts, ngrams):
        hashes, n_texts = _runs(keys >> np.uint64(_ROW_BITS) << np.uint64(_ROW_BITS))
        positions = np.searchsorted(vocabulary, hashes)
        positions[positions == len(vocabulary)] = 0
        is_known = vocabulary[positions] == hashes if len(vocabulary) else np.zeros(len(hashes), bool)
        known = np.repeat(is_known, n_texts)
        rows = (keys[known] & np.uint64(_MAX_ROWS - 1)).astype(np.uint16)
        by_row = np.argsort(rows, kind="stable")  # within a row the columns stay in ascending order
        columns.append(np.repeat(positions[is_known].astype(np.int32), n_texts[is_known])[by_row])
        counts.append(n_times[known][by_row].astype(np.float32))
        n_stored[first : first + n_rows] = np.bincount(rows, minlength=n_rows)
    indptr = np.concatenate([[0], np.cumsum(n_stored)])
    if indptr[-1] < 2**31:
        indptr = indptr.astype(np.int32)
    data, indices = _joined(counts, np.float32), _joined(columns, np.int32)
    return Counts(data, indices, indptr, (len(texts), len(vocabulary)))


class Places(NamedTuple):
    """Where the n-grams and the words of one text stand: the first character, and the one behind the last."""

    text: str  # what is counted: lower case, one space between words and at both ends
    hashes: np.ndarray  # of each n-gram, uint64 (n,)
    starts: np.ndarray  # int64 (n,)
    stops: np.ndarray  # int64 (n,)
    words: np.ndarray  # int64 (n_words, 2)


def places_of(text: str, ngrams: Ngrams) -> Places:
    """Where the n-grams stand that are counted in a text."""
    normal = unicodedata.normalize("NFC", text[: ngrams.max_characters].lower())
    codes = np.frombuffer(f" {normal} ".encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    classes = _classes(codes)
    kept = _kept(classes)
    codes, classes = codes[kept], classes[kept]
    codes[classes == _SPACE] = ord(" ")
    parts = list(_occurrences(codes, classes, np.zeros(len(codes), np.int64), ngrams))
    hashes = np.concatenate([hashes for hashes, _, _ in parts]) >> np.uint64(_ROW_BITS) << np.uint64(_ROW_BITS)
    starts = np.concatenate([starts for _, starts, _ in parts])
    sizes = np.concatenate([np.broadcast_to(size, starts.shape) for _, starts, size in parts])
    bounds, are_words = _bounds(codes, classes)
    words = np.stack([bounds, np.append(bounds, len(codes))[1:]], axis=1)[are_words]
    return Places(codes.tobytes().decode("utf-32-le", "surrogatepass"), hashes, starts, starts + sizes, words)


def words_of(text: str) -> list[str]:
    """Its words in lower case and their order, as `Ngrams` describes them."""
    normal = unicodedata.normalize("NFC", text.lower())
    codes = np.frombuffer(normal.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    if not len(codes):
        return []
    starts, are_words = _bounds(codes, _classes(codes))
    bounds = zip(starts[are_words].tolist(), np.append(starts, len(codes))[1:][are_words].tolist(), strict=True)
    return [normal[start:stop] for start, stop in bounds]


def is_word(vocabulary: np.ndarray) -> np.ndarray:
    """Which n-grams of a vocabulary are of words; these come last, bool (n_vocabulary,)."""
    return vocabulary >= _WORD_BIT


def tf_idf(counts: Counts, idf: np.ndarray, n_characters: int) -> Counts:
    """(1 + log(count)) * idf, in place; the n-grams of characters of a row have norm 1, and so have those of words.

    The first `n_characters` columns are of characters.
    """
    data, indices, indptr = counts.data, counts.indices, counts.indptr
    step = 1 << 22
    for start in range(0, len(data), step):
        part = slice(start, start + step)
        data[part] = (1 + np.log(data[part].astype(np.float64))) * idf[indices[part]]
    for first in range(0, counts.shape[0], _MAX_ROWS):
        bounds = indptr[first : first + _MAX_ROWS + 1]
        values = data[bounds[0] : bounds[-1]]
        block = np.repeat(2 * np.arange(len(bounds) - 1), np.diff(bounds)) + (
            indices[bounds[0] : bounds[-1]] >= n_characters
        )
        squares = np.bincount(block, values.astype(np.float64) ** 2, minlength=1)
        values /= np.sqrt(squares)[block]
    return counts


def _counted_chunks(texts: Sequence[str], ngrams: Ngrams) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """First row and number of rows of each chunk, its distinct keys ascending uint64, how often each occurs int64."""
    first, size, chunk = 0, 0, []
    for text in texts:
        normal = unicodedata.normalize("NFC", text[: ngrams.max_characters].lower())
        if chunk and (size + len(normal) > _MAX_CHUNK or len(chunk) == _MAX_ROWS):
            yield first, len(chunk), *_runs(np.sort(_keys(chunk, ngrams)))
            first, size, chunk = first + len(chunk), 0, []
        chunk.append(normal)
        size += len(normal) + 1
    if chunk:
        yield first, len(chunk), *_runs(np.sort(_keys(chunk, ngrams)))


def _keys(texts: list[str], ngrams: Ngrams) -> np.ndarray:
    """The key of every n-gram of the texts, in no order, uint64."""
    codes = np.frombuffer(f" {' '.join(texts)} ".encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    lengths[0] += 1  # the space in front
    rows = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    classes = _classes(codes)
    kept = _kept(classes)
    codes, rows, classes = codes[kept], rows[kept], classes[kept]
    is_space = classes == _SPACE
    codes[is_space] = ord(" ")
    rows[:-1][is_space[:-1]] = rows[1:][is_space[:-1]]  # a space belongs to the word that follows
    parts = [_key(hashes, rows[starts]) for hashes, starts, _ in _occurrences(codes, classes, rows, ngrams)]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _kept(classes: np.ndarray) -> np.ndarray:
    """Which characters count, bool: of several spaces the first."""
    kept = classes != _SPACE
    kept[1:] |= kept[:-1]
    kept[0] = True
    return kept


# Hashes of n-grams, where each starts, and how many characters it has.
_Occurrences = tuple[np.ndarray, np.ndarray, "np.ndarray | int"]


def _occurrences(codes: np.ndarray, classes: np.ndarray, rows: np.ndarray, ngrams: Ngrams) -> Iterator[_Occurrences]:
    """Every n-gram of the texts; arrays of one element for each character."""
    mixed = _mixed(codes.astype(np.uint64))
    yield from _character_ngrams(mixed, classes == _SPACE, *ngrams.characters)
    yield from _word_ngrams(codes, mixed, classes, rows, ngrams)


def _character_ngrams(mixed: np.ndarray, is_space: np.ndarray, shortest: int, longest: int) -> Iterator[_Occurrences]:
    """N-grams of characters that have spaces at their ends only."""
    starts = np.arange(len(mixed))
    hashes = mixed
    for n in range(2, longest + 1):
        inside = starts[: np.searchsorted(starts, len(mixed) - n + 1)]
        hashes = hashes[: len(inside)]
        if n > 2:  # what was the last character is inside now
            goes_on = ~is_space[inside + (n - 2)]
            inside, hashes = inside[goes_on], hashes[goes_on]
        starts, hashes = inside, hashes * _BASE + mixed[inside + (n - 1)]
        if n >= shortest:
            yield hashes & ~_WORD_BIT, starts, n


def _word_ngrams(
    codes: np.ndarray, mixed: np.ndarray, classes: np.ndarray, rows: np.ndarray, ngrams: Ngrams
) -> Iterator[_Occurrences]:
    """Words, pairs of words and first words."""
    shortest, longest = ngrams.words
    words, starts, stops = _words(codes, mixed, classes)
    rows = rows[starts]
    if shortest == 1:
        yield words | _WORD_BIT, starts, stops - starts
    if longest == 2:
        is_pair = rows[1:] == rows[:-1]
        pairs = words[:-1] * _PAIR + words[1:]
        yield pairs[is_pair] | _WORD_BIT, starts[:-1][is_pair], (stops[1:] - starts[:-1])[is_pair]
    n_first = ngrams.n_first
    if n_first and longest:
        is_late = np.zeros(len(words), bool)
        is_late[n_first:] = rows[n_first:] == rows[:-n_first]
        yield _mixed(words + _FIRST)[~is_late] | _WORD_BIT, starts[~is_late], (stops - starts)[~is_late]


def _words(codes: np.ndarray, mixed: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes of all words, where they start, and where they end."""
    starts, are_words = _bounds(codes, classes)
    stops = np.append(starts, len(codes))[1:]
    place = np.arange(len(codes)) - np.repeat(starts, stops - starts)
    powers = np.cumprod(np.full(int(place.max(initial=0)) + 1, _BASE))  # modulo 2 ** 64
    words = np.add.reduceat(mixed * powers[place], starts)[are_words]
    return _mixed(words), starts[are_words], stops[are_words]


def _bounds(codes: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where words and single spaces start, in ascending order, and which of them are words."""
    before = np.concatenate([[_SPACE], classes[:-1]])
    is_start = (classes != _SPACE) & (classes != before)
    is_start &= ~((classes == _MARK) & (before != _SPACE)) & ~((classes == _LETTER) & (before == _MARK))
    is_start[1:] |= (classes[1:] == _SYMBOL) & (codes[1:] != codes[:-1])
    is_start |= classes == _ALONE
    # A word ends at a space or where the next one starts, so that spaces are parts of their own, which are left out.
    starts = np.flatnonzero(is_start | (classes == _SPACE))
    return starts, is_start[starts]


def _key(hashes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return hashes >> np.uint64(_ROW_BITS) << np.uint64(_ROW_BITS) | rows


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers uint64 such that all bits depend on all bits: the last steps of splitmix64."""
    numbers = (numbers + _BASE) * np.uint64(0xBF58476D1CE4E5B9)
    numbers ^= numbers >> np.uint64(27)
    numbers *= np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _classes(codes: np.ndarray) -> np.ndarray:
    """Space, letter, mark, symbol, or character that is a word by itself, for each code point, uint8."""
    occurs = np.flatnonzero(np.bincount(codes, minlength=1))
    table = np.zeros(int(occurs[-1]) + 1, np.uint8)
    table[occurs] = [_class(int(code)) for code in occurs]
    return table[codes]


def _class(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return _SPACE
    if category[0] == "M" or category == "Cf":  # such as variation selectors and joiners
        return _MARK
    if any(low <= code <= high for low, high in _WITHOUT_SPACES):
        return _ALONE
    return _LETTER if character.isalnum() or character == "_" else _SYMBOL


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of an ascending array, and how often each occurs, int64."""
    is_first = np.ones(len(ordered), bool)
    is_first[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(is_first)
    return ordered[starts], np.diff(np.append(starts, len(ordered)))


def _merged(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values ascending, and the sums of their numbers."""
    values, numbers = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(values)
    values, n_equal = _runs(values[order])
    return values, np.add.reduceat(numbers[order], np.cumsum(n_equal) - n_equal) if len(values) else numbers


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    """The parts one after another; each is released once it has been copied, so that they are not held twice."""
    joined, start = np.empty(sum(map(len, parts)), dtype), 0
    parts.reverse()
    while parts:
        part = parts.pop()
        joined[start : start + len(part)] = part
        start += len(part)
    return joined
