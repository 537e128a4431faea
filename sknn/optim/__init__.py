"""Parameter groups, flat parameter buffers, learning-rate schedules, and the average of the weights."""

from ._average import WeightAverage
from ._build import build_optimizer, parameter_groups
from ._flat_parameters import FlatParameters
from ._fused_step import step_of
from ._muon import Muon
from ._schedule import LRSchedule

__all__ = ["FlatParameters", "LRSchedule", "Muon", "WeightAverage", "build_optimizer", "parameter_groups", "step_of"]
