"""What every test starts from."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch

from sknn._health.careful import raise_own_errors

# Of one thread: the workers already keep all cores busy, and waiting threads cost more than they gain.
torch.set_num_threads(1)
raise_own_errors()
# Where skrub, which skore imports, makes its folder: otherwise in the home folder.
os.environ.setdefault("SKB_DATA_DIRECTORY", str(Path(tempfile.gettempdir()) / "skrub_data"))


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    """Tests started in the background of a shell inherit that Ctrl-C is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
