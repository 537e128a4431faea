"""What a user opens."""

from __future__ import annotations

import os
import threading
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._digest import digest
from ._calls import Outcome
from ._open import close, open_
from ._store import Store
from ._warnings import give_again

__all__ = ["Entry", "Journal", "journal"]

_MESSAGES = {
    "write": "A finished fit could not be stored in the journal: {}. The search goes on; its fits may be lost.",
    "result": "A finished fit is not stored in the journal: its result holds {}. The search goes on.",
    "digest": (
        "A fit is not looked up in the journal, nor stored: {}, which has nothing to know it by on another day. "
        "Pass a value that can be pickled to have it stored. The search goes on."
    ),
}


@dataclass(frozen=True)
class Entry:
    """A finished fit, as :meth:`Journal.entries` lists it.

    Attributes
    ----------
    key : str
        SHA-256 of all that decides on the result.
    estimator : str
        Name of the class.
    parameters : dict
        What the search set; of values other than numbers and short strings, the name of the type.
    result : object
        What scikit-learn got: scores, times, the text of an error. Fitted estimators are left out.
    """

    key: str
    estimator: str
    parameters: dict[str, Any]
    result: Any


class Journal:
    """Finished fits in a folder; made by :func:`sknn.journal`.

    Attributes
    ----------
    folder : pathlib.Path
        Absolute.
    n_stored : int
        Fits done and stored since it was opened first, by this process and its workers.
    n_skipped : int
        Fits found in the folder and not done again.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            path = os.fspath(folder)
        except TypeError:
            path = b""
        if not isinstance(path, str) or not path:
            raise TypeError(f"folder={folder!r} is no path; expected a string or a pathlib.Path.")
        self.folder = Path(path).absolute()
        self.store = Store(self.folder)
        self.n_skipped = 0
        self.troubles: list[tuple[str, str]] = []
        self._n_stored_inside = 0
        self._expected: set[str] = set()
        self._times: Counter[str] = Counter()
        self._shown_warnings: dict[Any, Any] = {}
        self._lock = threading.Lock()
        self._n_open = 0
        self._outer_times: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Journal({str(self.folder)!r}, n_stored={self.n_stored}, n_skipped={self.n_skipped})"

    def __len__(self) -> int:
        """Fits in the folder, of all scripts that share it."""
        return len(self.store.stored_keys())

    def __enter__(self) -> Journal:
        if self._n_open == 0:
            self._times.clear()
            trouble = self._open_store()
            if trouble is not None:
                self.trouble("write", trouble)
        open_(self)
        self._n_open += 1
        return self

    def __exit__(self, *exception: object) -> None:
        self._n_open -= 1
        close(self)

    def _open_store(self) -> str | None:
        return self.store.open()

    # ------------------------------------------------------------------ for readers

    @property
    def n_stored(self) -> int:
        """Fits done and stored since it was opened first."""
        return self._n_stored_inside + sum(self.store.holds(key) for key in tuple(self._expected))

    def entries(self) -> list[Entry]:
        """List the fits in the folder, in order of storing.

        Returns
        -------
        entries : list of Entry
            Damaged files are left out.
        """
        found = []
        for key in self.store.stored_keys():
            record = self.store.read(key)
            if record is not None:
                found.append(Entry(key, record["estimator"], record["parameters"], record["result"]))
        return found

    def clear(self) -> int:
        """Remove all fits from the folder, those of other scripts included.

        Returns
        -------
        n_removed : int
        """
        keys = self.store.stored_keys()
        self.store.remove(keys)
        return len(keys)

    # ------------------------------------------------------------------ for evaluations

    def key_of(self, identity: str, unseeded: bool) -> tuple[str, Journal]:
        """Key of a fit, and the journal for fits inside of it.

        A fit with ``random_state=None`` that is done three times gives three results, and three entries: its mean and
        spread are those of a run without a journal.
        """
        time = 0
        if unseeded:
            with self._lock:
                time = self._times[identity]
                self._times[identity] += 1
        times = (*self._outer_times, time)
        key = digest([identity, *times]) if any(times) else identity
        return key, JournalInside(str(self.folder), times)

    def expect(self, key: str) -> None:
        """A fit is about to be done, here or in another process."""
        self._expected.add(key)

    def recall(self, key: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """The entry of a fit, its warnings given again; None if there is none."""
        record = self.store.read(key, unpickle=bool(arguments.get("return_estimator")))
        if record is None or not _is_whole(record["result"], arguments):
            return None
        try:
            give_again(record.get("warnings", []), self._shown_warnings)
        except Warning:  # an error now, so that the fit would have failed
            return None
        result = record["result"]
        if isinstance(result, dict):
            _put_in_order(result, arguments.get("scorer"))
            if arguments.get("return_parameters"):
                result["parameters"] = arguments["parameters"]
            _announce(result, arguments)
        with self._lock:
            self.n_skipped += 1
        return record

    def take_in(self, outcome: Outcome) -> None:
        """What went on where a fit was done."""
        with self._lock:
            self._n_stored_inside += outcome.n_stored_inside
            self.n_skipped += outcome.n_skipped_inside
        for kind, what in outcome.troubles:
            self.trouble(kind, what)

    def trouble(self, kind: str, what: str) -> None:
        """Warn, once of each kind, and go on: a search of a night is worth more than its journal."""
        if all(kind != known for known, _ in self.troubles):
            self.troubles.append((kind, what))
            warnings.warn(f"{self.folder}: " + _MESSAGES[kind].format(what), UserWarning, stacklevel=2)


class JournalInside(Journal):
    """The same folder where one of its fits is done: in this process or another, for searches within the fit."""

    def __init__(self, folder: str, times: tuple[int, ...]) -> None:
        super().__init__(folder)
        self._outer_times = times

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self.folder), self._outer_times)

    def _open_store(self) -> None:
        """The outer one has opened it."""

    def trouble(self, kind: str, what: str) -> None:
        """Told by the outer one, where the user sees it."""
        if all(kind != known for known, _ in self.troubles):
            self.troubles.append((kind, what))


def _is_whole(result: Any, arguments: dict[str, Any]) -> bool:
    """Whether a search finds in it what it will look for; another version may have stored less."""
    if "return_train_score" not in arguments:  # of other functions, whose results are arrays
        return result is not None
    return isinstance(result, dict) and {"fit_error", "test_scores"} <= set(result)


def _put_in_order(result: dict[str, Any], scorer: Any) -> None:
    """Scores of several scorers stand in their order, which makes no other fit."""
    names = getattr(scorer, "_scorers", {})
    for kind in ("test_scores", "train_scores"):
        scores = result.get(kind)
        if isinstance(scores, dict) and set(scores) == set(names):
            result[kind] = {name: scores[name] for name in names}


def _announce(result: dict[str, Any], arguments: dict[str, Any]) -> None:
    """The line that scikit-learn would have printed of the fit."""
    if (arguments.get("verbose") or 0) <= 1:
        return
    progress = arguments.get("split_progress")
    place = f" {progress[0] + 1}/{progress[1]}" if progress and arguments["verbose"] > 2 else ""
    given = ", ".join(f"{name}={value}" for name, value in sorted((arguments.get("parameters") or {}).items()))
    print(f"[CV{place}] JOURNAL {given}{'; ' if given else ''}score={result.get('test_scores')}")


def journal(folder: str | os.PathLike[str]) -> Journal:
    """Keep finished fits of searches and validations in a folder, so that a script that runs again skips them.

    Inside ``with sknn.journal("folder"):`` every fit of `GridSearchCV`, `RandomizedSearchCV`, the halving searches,
    `RFECV`, `cross_validate`, `cross_val_score`, `cross_val_predict`, `learning_curve`, `validation_curve` and
    `permutation_test_score`, of any estimator and with any ``n_jobs``, is stored as soon as it is done. A script that
    was killed is simply run again: fits that are stored are not done again, and the results are those of a run
    without a break.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if missing. Scripts and processes may share one.

    Returns
    -------
    journal : Journal
        A context manager; ``n_stored``, ``n_skipped``, ``entries()``, ``clear()``.

    Raises
    ------
    JournalError
        When it is opened: a file stands there, it cannot be written to, or a newer version of sknn made it.
    TypeError
        `folder` is no path.

    Notes
    -----
    A fit is known by the SHA-256 of estimator and parameters, content of X, y and what else ``fit`` and the scorer are
    given, rows trained and tested on, scorer, and versions of Python, numpy, scipy, scikit-learn, torch, skorch and
    sknn. Own functions and classes count by what they do. The fit of ``best_estimator_`` at the end of a search is not
    stored. A full disk is a warning. Entries are JSON without rows of the table; only ``return_estimator=True`` adds
    pickles.

    Examples
    --------
    >>> import sknn, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> folder = tempfile.mkdtemp()
    >>> for _ in range(2):
    ...     with sknn.journal(folder) as fits:
    ...         scores = cross_val_score(DecisionTreeClassifier(random_state=0), *load_iris(return_X_y=True), cv=5)
    ...         print(fits.n_stored, fits.n_skipped)
    5 0
    0 5
    """
    return Journal(folder)
