"""sknn.save."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._atomic import check_destination, replace_file
from .._estimator.base import BaseNeuralEstimator
from .._settings import default_settings
from .._versions import versions
from ..exceptions import FileError
from .archive import pack
from .cost import names_in
from .estimator import write_estimator
from .foreign.placeholders import take_apart
from .foreign.skops_file import names_to_trust, read_foreign, write_foreign
from .names import Trust, known_names
from .parts import write_json

__all__ = ["FOREIGN", "FORMAT", "save"]

FORMAT = 4  # to be increased when an older sknn cannot read what is written
FOREIGN = "sklearn.skops"  # the part with an object of scikit-learn around the estimators


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator, or a pipeline or search around it, to a file that :func:`sknn.load` reads safely.

    Parameters
    ----------
    estimator : NeuralClassifier, NeuralRegressor, or any estimator of scikit-learn
        Fitted.
    path : str or path
        The file. An existing one is replaced in one step, and left unchanged if anything fails.

    Warns
    -----
    UserWarning
        A pipeline or search contains classes that `load` reads only if they are listed in `trusted`; the message
        lists them.

    Raises
    ------
    NotFittedError
        `estimator` is not fitted.
    TypeError
        It contains something that cannot be stored without code, such as a lambda; the message names it.
    OSError
        The folder does not exist, is not writable, or is full; the path is empty, a folder, or a link to itself.
    ImportError
        safetensors, or skops for objects of scikit-learn, is missing: ``pip install "sknn[files]"``.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    The same model gives the same bytes. Before the file is written, the model is built again from its content, and the
    predictions are compared. The page "Files" of the documentation describes what is in a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sknn
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = sknn.NeuralClassifier(max_epochs=5, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sknn.save(classifier, Path(folder) / "iris.sknn")
    ...     again = sknn.load(Path(folder) / "iris.sknn")
    >>> bool((again.predict_proba(X) == classifier.predict_proba(X)).all())
    True
    """
    target = _target(path)
    with default_settings():
        content = _written(estimator)
    replace_file(target, content)


def _target(path: str | os.PathLike[str]) -> Path:
    """Return the file to write, at the end of links, which stay links."""
    if not os.fspath(path):
        raise FileNotFoundError("path='' is empty; expected the name of a file.")
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(f"path={os.fspath(path)!r} is a link that leads to itself; expected the name of a file.")
    check_destination(target)
    return target


def _written(estimator: Any) -> bytes:
    _check_fitted(estimator)
    parts: dict[str, bytes] = {}
    thing, estimators = None, [estimator]
    if not isinstance(estimator, BaseNeuralEstimator):
        thing, estimators = take_apart(estimator)
        parts[FOREIGN] = write_foreign(thing)
    values: list[Any] = []
    for i, part in enumerate(estimators):
        value, parts[f"estimators/{i}.safetensors"] = write_estimator(part)
        parts[f"estimators/{i}.json"] = write_json(value)
        values.append(value)
    if thing is not None:
        own = {name for value in values for name in names_in(value)} - set(known_names())
        _check_foreign(parts[FOREIGN], thing, estimators, own)
    devices = {str(part.net_.device) for part in estimators if "net_" in vars(part)}
    manifest = {
        "format": FORMAT,
        "versions": {**versions(), "device": ", ".join(sorted(devices))},
        "parts": {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in sorted(parts.items())},
    }
    return pack({"manifest.json": write_json(manifest), **parts})


def _check_fitted(estimator: Any) -> None:
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(f"estimator={estimator!r}; expected a fitted estimator, such as NeuralClassifier().fit(X, y).")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise NotFittedError(
            f"{type(estimator).__name__} is not fitted, so there is nothing to save. Call fit."
        ) from error


def _check_foreign(data: bytes, thing: Any, estimators: list[Any], own: set[str]) -> None:
    """Read what skops wrote, and warn of the names that `load` will need in `trusted`, `own` among them."""
    names = names_to_trust(data)
    try:
        read_foreign(data, estimators, Trust(names), FOREIGN)
    except FileError as error:
        raise TypeError(f"{type(thing).__name__} cannot be read back from a file: {error}") from error
    if names or own:
        warnings.warn(
            f"{type(thing).__name__} contains classes that need your trust. To read the file, call "
            f"sknn.load(path, trusted={sorted({*names, *own})}).",
            UserWarning,
            stacklevel=4,
        )
