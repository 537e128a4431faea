"""
=====================
Sequences and sensors
=====================

This example fits :class:`sknn.NeuralClassifier` to series in which something short happens at any time, shows which
part of a series decides, and teaches a simulated robot to steer by its sonars with :func:`sknn.windows`.
"""

# %%
# Series
# ------
# Heart beats of 2 channels that were made up: one beat in some series comes with a wide, inverted wave. The series
# differ in length and a thousandfold in amplitude.

import time

import numpy as np

rng = np.random.default_rng(0)


def beats(is_odd: bool) -> np.ndarray:
    """Series float32 (2, length) of several beats, of which one is odd."""
    n_beats, pause = rng.integers(4, 7), rng.integers(28, 36)
    steps = np.arange(n_beats * pause)
    series = np.zeros((2, len(steps)))
    odd = rng.integers(1, n_beats - 1)
    for beat in range(n_beats):
        center = (beat + 0.5) * pause + rng.normal()
        width, height = (4.5, -0.8) if is_odd and beat == odd else (1.5, 1.0)
        series[0] += height * np.exp(-(((steps - center) / width) ** 2))
        series[1] += 0.5 * height * np.exp(-(((steps - center - 5) / width) ** 2))
    series += 0.12 * rng.normal(size=series.shape) + 0.15 * np.sin(steps / 25 + rng.uniform(0, 6))
    return (10 ** rng.uniform(0, 3) * series).astype(np.float32)


y = np.tile(["normal", "odd"], 100)
X = [beats(label == "odd") for label in y]
X_train, X_test, y_train, y_test = X[:120], X[120:], y[:120], y[120:]

# %%
# Fit
# ---
# A list of arrays (channels, length) is read as sequences, and gets :class:`sknn.modules.SequenceNet`.

from sknn import NeuralClassifier

started = time.perf_counter()
model = NeuralClassifier(random_state=0).fit(X_train, y_train)
print(f"fit: {time.perf_counter() - started:.0f} s, accuracy on new series: {model.score(X_test, y_test):.3f}")

# %%
# What matters
# ------------
# A stretch of the series is replaced by a straight line, at one place after the other. Where the probability of "odd"
# falls, the stretch was needed.

import matplotlib.pyplot as plt


def importance(series: np.ndarray, width: int = 20, stride: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and by how much the probability falls if the stretch around each is replaced."""
    starts = np.arange(0, series.shape[1] - width, stride)
    hidden = [series.copy() for _ in starts]
    for copy, start in zip(hidden, starts, strict=True):
        ends = copy[:, [start]], copy[:, [start + width]]
        copy[:, start : start + width] = np.linspace(*ends, width, axis=1)[..., 0]
    probability = model.predict_proba([series, *hidden])[:, 1]
    return starts + width // 2, probability[0] - probability[1:]


figure, panels = plt.subplots(2, 2, figsize=(11, 5), layout="constrained")
odd = [x for x, label in zip(X_test, y_test, strict=True) if label == "odd"][:4]
for panel, series in zip(panels.flat, odd, strict=True):
    scale = np.abs(series).max()
    panel.plot(series.T / scale)
    steps, fall = importance(series)
    panel.fill_between(steps, -2, -2 + np.clip(fall, 0, None), color="tab:red", alpha=0.6, label="importance")
    panel.set(
        ylim=(-2, 1.2), yticks=[], title=f"amplitude {scale:.0f}, odd with {model.predict_proba([series])[0, 1]:.0%}"
    )
panels[0, 0].legend(loc="lower left")
for panel in panels[-1]:
    panel.set_xlabel("step")

# %%
# A robot
# -------
# A robot drives through a room of pillars. Eight sonars measure the distance to the next one; a driver who knows the
# room sets the speeds of two motors: away from what is near, with some inertia.

PILLARS = rng.uniform(0, 10, size=(14, 2))


def drive(n_steps: int) -> np.ndarray:
    """Table (n_steps, 10): 8 sonars and the speeds of both motors."""
    place, heading, turn, rows = np.array([5.0, 5.0]), rng.uniform(0, 6), 0.0, []
    angles = np.linspace(-np.pi / 2, np.pi / 2, 8)
    for _ in range(n_steps):
        towards = (PILLARS - place + 5) % 10 - 5  # the room repeats
        distance = np.hypot(*towards.T)
        bearing = (np.arctan2(towards[:, 1], towards[:, 0]) - heading + np.pi) % (2 * np.pi) - np.pi
        seen = np.abs(bearing[:, None] - angles) < 0.25
        sonar = np.where(seen, distance[:, None], 5.0).min(axis=0)
        danger = 1 / sonar
        turn = 0.6 * turn + 0.5 * (danger[:4].sum() - danger[4:].sum())
        pace = 0.1 + 0.03 * sonar[3:5].min()
        rows.append([*(sonar + 0.1 * rng.normal(size=8)), pace - 0.1 * turn, pace + 0.1 * turn])
        heading += 0.3 * turn
        place = (place + pace * np.array([np.cos(heading), np.sin(heading)])) % 10
    return np.array(rows)


# %%
# ``windows`` cuts the table into sequences of 8 steps and the speeds that belong to the last one. The speeds are not in
# the sequences: at ``predict`` the network is to choose them. Later blocks of time are held out, not single windows,
# since windows overlap.

from sknn import NeuralRegressor, windows

table = drive(1200)
X, y = windows(table, length=8, horizon=0, targets=[8, 9])
print(f"sequences {X.shape}, targets {y.shape}")
started = time.perf_counter()
robot = NeuralRegressor(random_state=0, max_epochs=20).fit(X[:900], y[:900])
print(f"fit: {time.perf_counter() - started:.0f} s, R2 on later steps: {robot.score(X[910:], y[910:]):.3f}")

predicted = robot.predict(X[910:1110])
figure, panels = plt.subplots(2, 1, figsize=(11, 4), sharex=True, layout="constrained")
for panel, motor, name in zip(panels, range(2), ["left", "right"], strict=True):
    panel.plot(y[910:1110, motor], label="driver")
    panel.plot(predicted[:, motor], label="network")
    panel.set_ylabel(f"{name} motor")
panels[0].legend()
panels[1].set_xlabel("step")
plt.show()
