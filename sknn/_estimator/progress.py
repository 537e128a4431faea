"""What a fit says while it runs: a progress bar, a line per epoch, or nothing."""

from __future__ import annotations

from typing import Any

__all__ = ["EpochReport"]


class EpochReport:
    """Progress of one fit.

    Parameters
    ----------
    verbose : {0, 1, 2}
        0: silent. 1: a bar with loss, best validation score and remaining time. 2: a line per epoch.
    max_epochs : int
        Epochs of this fit.
    n_before : int, default=0
        Epochs of earlier fits that this one goes on from.
    """

    def __init__(self, verbose: int, max_epochs: int, n_before: int = 0) -> None:
        self.verbose = verbose
        self.n_before, self.last_epoch = n_before, n_before + max_epochs
        self.best: float | None = None
        self.bar: Any = None

    def open(self) -> None:
        """Show the bar, if there shall be one."""
        if self.verbose == 1:
            from tqdm.auto import tqdm  # picks the notebook's widget or the terminal

            self.bar = tqdm(total=self.last_epoch - self.n_before, unit="epoch", desc="fit")

    def epoch(self, record: dict[str, Any], validation_score: float | None) -> None:
        """Report one epoch's history record."""
        if not self.verbose:
            return
        if validation_score is not None and (self.best is None or validation_score > self.best):
            self.best = validation_score
        if self.bar is not None:
            shown = {"loss": f"{record['train_loss']:.4g}"}
            if self.best is not None:
                shown["best_valid"] = f"{self.best:.4g}"
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update(record["epoch"] - self.n_before - self.bar.n)  # more than 1 after a checkpoint
            return
        parts = [f"epoch {record['epoch']}/{self.last_epoch}", f"train_loss {record['train_loss']:.5g}"]
        parts += [f"{name} {record[name]:.5g}" for name in ("valid_loss", "valid_score") if name in record]
        print("  ".join([*parts, f"lr {record['lr']:.3g}", f"{record['dur']:.2f} s"]), flush=True)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
