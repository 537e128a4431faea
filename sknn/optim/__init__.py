"""Parameter groups, flat parameter buffers, learning-rate schedules."""

from ._average import WeightAverage
from ._build import build_optimizer
from ._flat import FlatParameters, parameter_groups
from ._fused import step_of
from ._schedule import LRSchedule

__all__ = ["FlatParameters", "LRSchedule", "WeightAverage", "build_optimizer", "parameter_groups", "step_of"]
