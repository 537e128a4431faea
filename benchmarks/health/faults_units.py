"""Dead, saturated and identical units."""

from __future__ import annotations

import torch
from torch import nn

from sknn.modules import MLP

from . import starts
from .case import Case, classifier, fault, plain_classifier, regressor
from .networks import Convolutions, Perceptron, Recurrent
from .tables import blobs, circles, digits, friedman, from_sklearn, images, sequences, with_X

__all__ = ["CASES"]

SGD, Adam = torch.optim.SGD, torch.optim.Adam

DEAD = [
    fault("dead_units", "biases of -20", digits(), classifier(Perceptron, module__start=starts.biases(-20.0)),
          fix={"module__start": None}, repairable=True),
    fault("dead_units", "95 % of the first units dead", digits(),
          classifier(Perceptron, module__sizes=(60, 60), lr=0.003,
                     module__start=starts.biases(-30.0, share=0.95, layers=slice(1))),
          fix={"module__start": None}, repairable=True),
    fault("dead_units", "last hidden layer dead, regression", friedman(),
          regressor(Perceptron, module__sizes=(64, 64, 32), lr=0.003,
                    module__start=starts.biases(-10.0, layers=slice(2, 3))),
          fix={"module__start": None}, repairable=True),
    fault("dead_units", "dead convolutions", images(),
          classifier(Convolutions, lr=0.003, module__start=starts.biases(-8.0)),
          fix={"module__start": None}, repairable=True),
    fault("dead_units exploding loss_diverging", "killed by a rate of 1", blobs(),
          classifier(Perceptron, module__sizes=(32, 32, 32), lr=1.0, optimizer=Adam, lr_schedule="constant"),
          fix={"lr": 0.003}, repairable=True),
    fault("dead_units saturated_units", "clamped at 0, plain skorch", circles(),
          plain_classifier(Perceptron, module__activation=nn.functional.relu6, module__sizes=(32, 32),
                           module__start=starts.biases(-12.0)),
          fix={"module__start": None}),
    fault("dead_units input_scale", "inputs around -50", with_X(blobs(), lambda X, rng: X - 50),
          classifier(Perceptron, preprocessing=False, module__start=starts.positive),
          fix={"preprocessing": True}, repairable=True),
]  # fmt: skip

SATURATED = [
    fault("saturated_units", "tanh of N(0, 3^2)", digits(),
          classifier(Perceptron, module__sizes=(48, 48, 48), module__activation=torch.tanh,
                     module__start=starts.normal(3.0, hidden_only=True)),
          fix={"module__start": starts.xavier}, repairable=True),
    fault("saturated_units", "sigmoids at 1", blobs(),
          classifier(Perceptron, module__sizes=(48, 48), module__activation=torch.sigmoid, lr=0.003,
                     module__start=starts.biases(12.0)),
          fix={"module__start": None}, repairable=True),
    fault("saturated_units", "large weights, regression", friedman(),
          regressor(Perceptron, module__sizes=(32, 32, 32), module__activation=torch.tanh,
                    module__start=starts.scaled(30.0, hidden_only=True), lr=0.003),
          fix={"module__start": starts.xavier}, repairable=True),
    fault("saturated_units input_scale", "pixels of 0 to 4080 into tanh", images(scale=255.0, shape=(64,)),
          classifier(Perceptron, module__sizes=(32, 32, 32), module__activation=torch.tanh, preprocessing=False),
          good_source=images(shape=(64,)), fix={"lr": 0.003}, repairable=True),
    fault("saturated_units", "a tanh recurrent net of large input weights", sequences(15),
          classifier(Recurrent, module__cell=nn.RNN, module__start=starts.recurrent(gain=8.0, input_gain=8.0)),
          fix={"module__start": starts.recurrent(gain=0.9)}, repairable=True),
    fault("saturated_units", "tanh convolutions, plain skorch", images(),
          plain_classifier(Convolutions, module__channels=(6, 6, 6, 6), module__activation=torch.tanh,
                           module__start=starts.normal(4.0, hidden_only=True)),
          fix={"module__start": starts.xavier}),
    fault("saturated_units", "hard tanh at its ends, circles", circles(),
          classifier(Perceptron, module__sizes=(24, 24), module__activation=nn.functional.hardtanh, lr=0.003,
                     module__start=starts.biases(6.0)),
          fix={"module__start": None, "lr": 0.01}, repairable=True),
]  # fmt: skip

SYMMETRIC = [
    fault("symmetric_init", "all zeros", digits(), classifier(Perceptron, module__start=starts.constant(0.0)),
          fix={"module__start": None}, repairable=True),
    fault("symmetric_init", "all 0.1, tanh", digits(),
          classifier(Perceptron, module__activation=torch.tanh, module__start=starts.constant(0.1)),
          fix={"module__start": None}, repairable=True),
    fault("symmetric_init", "all 0.05, regression", friedman(),
          regressor(Perceptron, module__start=starts.constant(0.05), lr=0.003),
          fix={"module__start": None}, repairable=True),
    fault("symmetric_init", "equal convolutions", images(),
          classifier(Convolutions, module__start=starts.constant(0.02)),
          fix={"module__start": None, "lr": 0.003}, repairable=True),
    fault("symmetric_init", "an LSTM of ones times 0.1", images(shape=(8, 8)),
          classifier(Recurrent, module__cell=nn.LSTM, module__start=starts.constant(0.1), lr=0.01),
          fix={"module__start": None}, repairable=True),
    fault("symmetric_init", "ones, sigmoid, plain skorch", circles(),
          plain_classifier(Perceptron, module__activation=torch.sigmoid, module__start=starts.constant(1.0), lr=0.02),
          fix={"module__start": None}),
    fault("symmetric_init", "zeros, an MLP handed over as it is", from_sklearn("wine"),
              classifier(starts.zeroed(MLP(13, 3)), batch_size=16),
          fix={"module": MLP}, repairable=True),
]  # fmt: skip

CASES: list[Case] = [*DEAD, *SATURATED, *SYMMETRIC]
