"""One thread for every test: the workers already keep all cores busy, and waiting threads cost more than they gain."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
