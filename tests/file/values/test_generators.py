"""Random generators come back in their state."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reliability import _file_faults_work as of_work
from sknn._file.names import Trust
from sknn._file.values.reader_writer import ValueReader, ValueWriter


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_all_generators_come_back(kind):
    state = np.random.RandomState(getattr(np.random, kind)(3))
    state.random_sample(5)
    state.standard_normal()
    for generator in (state, np.random.Generator(getattr(np.random, kind)(3))):
        again = ValueReader({}, Trust()).read(ValueWriter().write(generator, "here"), "here")
        assert type(again) is type(generator)
        assert again.standard_normal(3).tolist() == generator.standard_normal(3).tolist()
    # What the hostile states of the benchmark are made from is accepted.
    unchanged = ValueReader({}, Trust()).read(of_work.generator(kind), "here")
    assert unchanged.random_sample() == np.random.RandomState(getattr(np.random, kind)(0)).random_sample()
