"""A fit that was cut off goes on where it was: what belongs together, when to write, what to do if that fails."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import pickle
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .._atomic import remove_abandoned
from ..exceptions import CheckpointError
from .file import CheckpointFile, Damaged
from .graph import dumps, loads

__all__ = ["Checkpoint"]

# Writing shall take no more than this share of a training, however often it is asked for by the clock.
_LARGEST_SHARE = 0.05


class Checkpoint:
    """The checkpoint of one fit.

    Parameters
    ----------
    path : Path
        A file; or a folder, in which each fit has a file of its own.
    every_s : float
        Seconds between two checkpoints.
    every_epochs : int or None
        Epochs between two checkpoints, whatever the clock says.
    identity : mapping of str to str
        Digest of each parameter, of the data, and of whatever else decides the bits.
    shown : mapping of str to str
        How messages show some of them.

    Attributes
    ----------
    found : dict or None
        What `look_for` has found: ``"random"``, the generator that the fit drew its seeds from, and more.

    Raises
    ------
    CheckpointError
        The folder does not exist or may not be written.
    """

    def __init__(
        self,
        path: Path,
        every_s: float,
        every_epochs: int | None,
        identity: Mapping[str, str],
        shown: Mapping[str, str],
    ) -> None:
        # The head of a file is for everybody to read: it holds hashes of what the key is made of.
        self.marks, self.shown = {name: _mark(name, digest) for name, digest in identity.items()}, dict(shown)
        joined = "\n".join(f"{name}={digest}" for name, digest in sorted(identity.items()))
        self._key = hashlib.sha256(b"key of a checkpoint\n" + joined.encode()).digest()
        if path.is_dir():
            path = path / (hashlib.sha256(b"name of a checkpoint\n" + joined.encode()).hexdigest()[:20] + ".ckpt")
        self.file = CheckpointFile(path)
        self.every_s, self.every_epochs = every_s, every_epochs
        self.found: dict[str, Any] | None = None
        self.surroundings: Callable[[], dict[str, Any]] = dict
        self._random = b""
        self._written_at = time.perf_counter()
        self._cost_s = 0.0
        self._n_epochs = 0
        self._has_warned = self._is_present_damaged = False
        _check_folder(path)

    # ------------------------------------------------------------------ going on

    def look_for(self) -> dict[str, Any] | None:
        """What a fit of the same data and parameters has left, if anything; kept as `found`.

        Raises
        ------
        CheckpointError
            The file belongs to another fit, or is damaged and there is none before it.
        """
        damage = ""
        for path in (self.file.path, self.file.previous):
            try:
                head, body, content, code = self.file.read(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise CheckpointError(f"checkpoint={str(path)!r} cannot be read: {error}.") from error
            except Damaged as error:
                damage = damage or f"checkpoint={str(path)!r} is damaged: {error}."
                continue
            self._check_identity(path, head)
            if not self.file.is_own(content, code, self._key):
                raise CheckpointError(
                    f"checkpoint={str(path)!r} was not written by this fit, and is not opened. Delete it to begin anew."
                )
            self._is_present_damaged = bool(damage)
            if damage:
                warnings.warn(f"{damage} The one before it, of epoch {head['epoch']}, is used.", stacklevel=2)
            self.found = pickle.load(io.BytesIO(body))
            return self.found
        if damage:
            raise CheckpointError(f"{damage} There is none before it. Delete it to begin anew.")
        return None

    def _check_identity(self, path: Path, head: dict[str, Any]) -> None:
        theirs, shown = head["identity"], head["shown"]
        names = [name for name in {**self.marks, **theirs} if theirs.get(name) != self.marks.get(name)]
        if not names:
            return
        differences = [
            f"{name} (then {shown[name]}, now {self.shown[name]})" if name in shown and name in self.shown else name
            for name in names
        ]
        raise CheckpointError(
            f"checkpoint={str(path)!r} is of another fit: {', '.join(differences)} differ. Delete it to begin anew, or "
            "give this fit a path of its own; a folder that exists holds the checkpoints of many fits."
        )

    def restore(self, net: Any) -> bool:
        """Put the net where the fit that was cut off was; whether that fit was over.

        Raises
        ------
        CheckpointError
            Something in it is not to be had here.
        """
        assert self.found is not None
        try:
            state = loads(self.found["graph"], self.surroundings())
        except Exception as error:
            raise CheckpointError(
                f"checkpoint={str(self.file.path)!r} cannot be gone on from here: {type(error).__name__}: {error}. "
                "Classes and functions of a script are looked for where they were defined: go on in the same way as "
                "before (such as with n_jobs=1), keep them in a module of their own, or delete it to begin anew."
            ) from error
        net.continue_from(state)
        self._n_epochs = len(net.history)
        self._written_at = time.perf_counter()
        return self.found["finished"]

    # ------------------------------------------------------------------ writing

    def begin(self, random: Any, *, is_fresh: bool) -> Any:
        """The generator that the fit draws its seeds from: `random`, or where that `is_fresh`, that of before."""
        if is_fresh and self.found is not None:
            random = pickle.loads(self.found["random"])
        self._random = pickle.dumps(random)
        return random

    def after_epoch(self, net: Any, state: Callable[[], dict[str, Any]]) -> None:
        """Write, if it is time."""
        n_epochs = len(net.history)
        elapsed = time.perf_counter() - self._written_at
        by_epochs = self.every_epochs is not None and n_epochs - self._n_epochs >= self.every_epochs
        by_clock = self.every_epochs is None and elapsed >= max(self.every_s, self._cost_s / _LARGEST_SHARE)
        if by_epochs or by_clock:
            self.write(net, state(), finished=False)

    def write(self, net: Any, state: dict[str, Any], *, finished: bool) -> None:
        """Write the state; a full disk is a warning, and training goes on.

        Raises
        ------
        CheckpointError
            Some object cannot be pickled.
        """
        started = time.perf_counter()
        try:
            graph = dumps(state, self.surroundings())
        except Exception as error:
            raise CheckpointError(
                f"checkpoint: the state of this training cannot be stored: {type(error).__name__}: {error}. "
                f"{_culprit(net, self.surroundings())}"
            ) from error
        body = pickle.dumps({"random": self._random, "graph": graph, "finished": finished})
        head = {"identity": self.marks, "shown": self.shown, "epoch": len(net.history), "finished": finished}
        try:
            self.file.write(head, body, self._key, keeps_present=not self._is_present_damaged)
            self._is_present_damaged = False
        except OSError as error:
            if not self._has_warned:
                warnings.warn(
                    f"checkpoint={str(self.file.path)!r} could not be written after epoch {len(net.history)}: {error}. "
                    "Training goes on, and the checkpoint before it is kept.",
                    stacklevel=2,
                )
            self._has_warned = True
        self._n_epochs = len(net.history)
        self._written_at = time.perf_counter()
        self._cost_s = self._written_at - started


def _mark(name: str, digest: str) -> str:
    """What tells whether two digests are the same, and not what they are."""
    return hashlib.sha256(f"mark of a checkpoint\n{name}\n{digest}".encode()).hexdigest()


def _culprit(net: Any, surroundings: dict[str, Any]) -> str:
    """Which module or callback is to blame; modules first, since callbacks know of them."""
    for kind, name, part in [
        *(("module", name or type(part).__name__, part) for name, part in net.module_.named_modules()),
        *(("callback", name, callback) for name, callback in net.callbacks_),
    ]:
        # Of a module without the modules inside, which come by themselves.
        state = {key: value for key, value in vars(part).items() if kind == "callback" or key != "_modules"}
        try:
            dumps(state, surroundings)
        except Exception:
            return f"The {kind} {name} holds it: keep what cannot be pickled out of its attributes."
    return "Leave checkpoint=None, or look for what cannot be pickled."


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise CheckpointError(f"checkpoint={str(path)!r}: there is no folder {str(folder)!r}. Make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"checkpoint={str(path)!r}: the folder {str(folder)!r} may not be written to.")
    remove_abandoned(folder, glob.escape(path.name))
