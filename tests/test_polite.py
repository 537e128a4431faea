"""A fit leaves the process as it was."""

from __future__ import annotations

import os
import random
import threading

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from sknn import NeuralClassifier, NeuralRegressor

X, Y = load_iris(return_X_y=True)


def global_state():
    return (
        torch.get_rng_state().numpy().tobytes(),
        str(np.random.get_state()),
        random.getstate(),
        torch.get_num_threads(),
        torch.get_num_interop_threads(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        os.getcwd(),
    )


@pytest.mark.parametrize("random_state", [None, 0])
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_fit_and_predict_leave_the_process_as_it_was(estimator, random_state, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = global_state()
    model = estimator(module_params={"dropout": 0.2}, max_epochs=3, random_state=random_state).fit(X, Y)
    model.predict(X)
    model.partial_fit(X, Y)
    assert global_state() == before
    assert capfd.readouterr() == ("", "")
    assert os.listdir(tmp_path) == []


def test_a_failing_fit_leaves_the_generators_as_they_were():
    class Fails(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.rand(3)
            raise RuntimeError("no")

    before = global_state()
    with pytest.raises(ValueError, match="Fails: RuntimeError: no"):
        NeuralClassifier(Fails, random_state=0).fit(X, Y)
    assert global_state() == before


def fit_with_dropout(seed: int) -> np.ndarray:
    model = NeuralClassifier(module_params={"dropout": 0.3}, max_epochs=3, random_state=seed)
    return model.fit(X, Y).predict_proba(X)


def test_fits_in_threads_give_the_same_bits_and_leave_the_generators():
    alone = [fit_with_dropout(seed) for seed in range(4)]
    before = global_state()
    together: dict[int, np.ndarray] = {}
    threads = [threading.Thread(target=lambda s=s: together.update({s: fit_with_dropout(s)})) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert global_state() == before
    for seed in range(4):
        np.testing.assert_array_equal(together[seed], alone[seed])


def test_same_random_state_gives_the_same_bits_whatever_the_global_generators():
    first = fit_with_dropout(7)
    torch.manual_seed(123)
    np.random.seed(5)
    np.testing.assert_array_equal(fit_with_dropout(7), first)
    assert not np.array_equal(fit_with_dropout(8), first)


def test_random_state_none_differs_from_fit_to_fit():
    models = [NeuralClassifier(max_epochs=1).fit(X, Y).predict_proba(X) for _ in range(2)]
    assert not np.array_equal(*models)
