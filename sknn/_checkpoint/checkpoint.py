"""The checkpoint of one fit: which fit it belongs to, when it is written, and what happens if that fails."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import pickle
import time
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .._atomic import remove_abandoned
from .._digest import Sources
from ..callbacks._protocol import state_in_training
from ..exceptions import CheckpointError
from .file import CheckpointFile, Damaged
from .graph import dumps, loads

__all__ = ["WITHOUT_PICKLE", "Checkpoint"]

# Ends each message about an object that cannot be stored.
WITHOUT_PICKLE = (
    "Give its class a __getstate__ that leaves out what cannot be pickled and a resumed fit does not need; or pass "
    "another object, or leave checkpoint=None."
)

# Writing takes at most this share of the training time, unless `every_epochs` is set.
_LARGEST_SHARE = 0.05
# In bytes. Weights hardly become smaller, but what torch.save writes around those of small networks does.
_LARGEST_COMPRESSED = 2**16


class Checkpoint:
    """The checkpoint of one fit: a file, or one of the files in a folder.

    `identity` maps each parameter, the data, and everything else that decides the result to a digest; `shown` says how
    messages show some of them. `length` is given in a folder where the number of epochs decides nothing but when the
    training ends: the fit may continue a stored one of fewer epochs, whose file differs in this number only.
    """

    def __init__(
        self,
        path: Path,
        every_s: float,
        every_epochs: int | None,
        identity: Mapping[str, str],
        shown: Mapping[str, str],
        length: int | None = None,
    ) -> None:
        # Everybody may read the head of a file: it contains hashes of the digests that the key is made of.
        self.marks, self.shown = {name: _mark(name, digest) for name, digest in identity.items()}, dict(shown)
        joined = "\n".join(f"{name}={digest}" for name, digest in sorted(identity.items()))
        self._key = hashlib.sha256(b"key of a checkpoint\n" + joined.encode()).digest()
        self._in_folder, self.length = path.is_dir(), length
        if self._in_folder:
            name = hashlib.sha256(b"name of a checkpoint\n" + joined.encode()).hexdigest()[:20]
            path = path / (f"{name}.ckpt" if length is None else f"{name}-{length}.ckpt")
        self.file = CheckpointFile(path)
        self.found_at = path  # the file of what was found
        self.every_s, self.every_epochs = every_s, every_epochs
        # By `look_for`: "random", the generator that the fit drew its seeds from, "finished", and "graph", the state.
        self.found: dict[str, Any] | None = None
        self.surroundings: Callable[[], dict[str, Any]] = dict  # objects that the state names, see `graph.dumps`
        self._random = b""
        self._written_at = time.perf_counter()
        self._cost_s = 0.0
        self._n_epochs = 0
        self._has_warned = False
        self._keeps_present = True  # as the previous generation, when the file is written
        _check_folder(path)

    # ------------------------------------------------------------------ reading

    def look_for(self) -> None:
        """Set `found` to what an earlier fit of the same data, parameters and code has stored, if anything.

        A damaged file without a generation before it is an error; in a folder, where the name distinguishes fits, the
        fit begins anew instead.
        """
        damage = ""
        for path in (self.file.path, self.file.previous, *self._shorter()):
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
                    f"checkpoint={str(path)!r} was not written by this fit, so it is not opened. Delete it to begin "
                    "anew."
                )
            if not self._is_of_present_code(path, head["sources"]):
                return
            self._keeps_present = not damage
            if damage:
                warnings.warn(f"{damage} The one before it, of epoch {head['epoch']}, is used.", stacklevel=2)
            self.found = {**pickle.load(io.BytesIO(body)), "finished": head["finished"]}
            self.found_at = path
            return
        if damage and not self._in_folder:
            raise CheckpointError(f"{damage} There is no earlier one. Delete it to begin anew.")
        if damage:
            self._keeps_present = False
            warnings.warn(f"{damage} There is no earlier one, so the fit begins anew.", stacklevel=2)

    def _shorter(self) -> list[Path]:
        """Files of the same fit with fewer epochs, the longest first."""
        if self.length is None:
            return []
        own = self.file.path
        start = own.name.removesuffix(f"{self.length}.ckpt")
        lengths = [path.stem.removeprefix(start) for path in own.parent.glob(f"{start}*.ckpt")]
        shorter = sorted((int(text) for text in lengths if text.isdecimal() and int(text) < self.length), reverse=True)
        return [own.with_name(f"{start}{length}.ckpt") for length in shorter]

    def _check_identity(self, path: Path, head: dict[str, Any]) -> None:
        theirs, shown = head["identity"], head["shown"]
        names = [name for name in {**self.marks, **theirs} if theirs.get(name) != self.marks.get(name)]
        differences = [
            f"{name} (then {shown[name]}, now {self.shown[name]})" if name in shown and name in self.shown else name
            for name in names
            if not any(name.startswith(f"{other}[") for other in names)  # a part of what differs as a whole
        ]
        if differences:
            self._refuse(path, differences)

    def _refuse(self, path: Path, differences: list[str]) -> None:
        raise CheckpointError(
            f"checkpoint={str(path)!r} belongs to another fit: {', '.join(differences)} differ. Delete it to begin "
            "anew, or give this fit a path of its own; an existing folder takes the checkpoints of many fits."
        )

    def _is_of_present_code(self, path: Path, stored: dict[str, Any]) -> bool:
        changed = Sources.loaded().changed_since(Sources(**stored))
        if changed and not self._in_folder:
            self._refuse(path, [f"the source code of {name}" for name in changed])
        self._keeps_present = not changed
        return not changed

    @property
    def is_finished(self) -> bool:
        """Whether a finished fit was found."""
        return self.found is not None and self.found["finished"]

    def load(self) -> dict[str, Any]:
        """The state that was found."""
        assert self.found is not None
        try:
            return loads(zlib.decompress(self.found["graph"]), self.surroundings())
        except Exception as error:
            raise CheckpointError(
                f"checkpoint={str(self.found_at)!r} cannot be resumed here: {type(error).__name__}: {error}. "
                "Classes and functions of a script are looked for where they were defined: resume in the same way as "
                "before (such as with n_jobs=1), keep them in a module of their own, or delete it to begin anew."
            ) from error

    def begin(self, random: Any, *, is_fresh: bool) -> Any:
        """The generator that the fit draws its seeds from: `random`, or if that `is_fresh`, the stored one."""
        if is_fresh and self.found is not None:
            random = pickle.loads(self.found["random"])
        self._random = pickle.dumps(random)
        return random

    # ------------------------------------------------------------------ writing

    def resumed(self, net: Any) -> None:
        """Count epochs and seconds from here."""
        self._n_epochs, self._written_at = len(net.history), time.perf_counter()

    def after_epoch(self, net: Any, state: Callable[[], dict[str, Any]]) -> None:
        """Write if it is time."""
        n_epochs = len(net.history)
        elapsed = time.perf_counter() - self._written_at
        by_epochs = self.every_epochs is not None and n_epochs - self._n_epochs >= self.every_epochs
        by_clock = self.every_epochs is None and elapsed >= max(self.every_s, self._cost_s / _LARGEST_SHARE)
        if by_epochs or by_clock:
            self.write(net, state(), finished=False)

    def write(self, net: Any, state: dict[str, Any], *, finished: bool, is_last: bool = False) -> None:
        """Store the state. If the disk is full, warn, and training continues.

        `is_last` says that this fit writes no further one, as always if it is `finished`.
        """
        is_last = is_last or finished
        started = time.perf_counter()
        try:
            graph = dumps(state, self.surroundings())
        except Exception as error:
            raise CheckpointError(
                f"checkpoint: the state of this training run cannot be stored: {type(error).__name__}: {error}. "
                f"{_culprit(net, self.surroundings())}"
            ) from error
        graph = zlib.compress(graph, 1 if len(graph) < _LARGEST_COMPRESSED else 0)
        body = pickle.dumps({"random": self._random, "graph": graph})
        head = {
            "identity": self.marks,
            "shown": self.shown,
            "sources": asdict(Sources.loaded()),
            "epoch": len(net.history),
            "finished": finished,
        }
        # Waiting for the disk would cost short fits of a search more than a power cut, which loses the latest of them.
        synced = not self._in_folder or not is_last or self.file.path.exists()
        try:
            self.file.write(head, body, self._key, keeps_present=self._keeps_present and not is_last, synced=synced)
            self._keeps_present = True
            if is_last:
                self.file.previous.unlink(missing_ok=True)
        except OSError as error:
            if not self._has_warned:
                warnings.warn(
                    f"checkpoint={str(self.file.path)!r} could not be written after epoch {len(net.history)}: {error}. "
                    "Training continues, and the checkpoint before it is kept.",
                    stacklevel=2,
                )
            self._has_warned = True
        self.resumed(net)
        self._cost_s = self._written_at - started


def _mark(name: str, digest: str) -> str:
    """Shows whether two digests are equal without giving them away."""
    return hashlib.sha256(f"mark of a checkpoint\n{name}\n{digest}".encode()).hexdigest()[:32]


def _culprit(net: Any, surroundings: dict[str, Any]) -> str:
    """Which module or callback cannot be pickled; modules first, since callbacks refer to them."""
    for kind, name, part in [
        *(("module", name or type(part).__name__, part) for name, part in net.module_.named_modules()),
        *(("callback", name, callback) for name, callback in net.callbacks_),
    ]:
        # A module without its submodules, which are listed by themselves.
        own = {key: value for key, value in vars(part).items() if key != "_modules"}
        state = state_in_training(part) if kind == "callback" else own
        try:
            dumps(state, surroundings)
        except Exception:
            return f"The {kind} {name} contains it. {WITHOUT_PICKLE}"
    return WITHOUT_PICKLE


def _check_folder(path: Path) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise CheckpointError(f"checkpoint={str(path)!r}: the folder {str(folder)!r} does not exist. Create it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckpointError(f"checkpoint={str(path)!r}: the folder {str(folder)!r} is not writable.")
    remove_abandoned(folder, glob.escape(path.name))
