"""
=====================
Sequences and sensors
=====================

This example fits :class:`sknn.NeuralClassifier` to series in which something short happens at any time, shows which
part of a series decides, and teaches a simulated robot, with :func:`sknn.windows`, to steer by its sonars.
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
# ``explain`` says what each stretch of time of each channel adds to the log-odds of "odd", beside a flat line: red
# stretches speak for it, blue ones against it.

import matplotlib.pyplot as plt

from sknn.inspection import plot_sequence

odd = [x for x, label in zip(X_test, y_test, strict=True) if label == "odd"][:4]
figure, panels = plt.subplots(2, 2, figsize=(11, 5), layout="constrained")
for panel, series, values in zip(panels.flat, odd, model.explain(odd), strict=True):
    plot_sequence(series, values, panel)
    panel.set_title(f"amplitude {np.abs(series).max():.0f}, odd with {model.predict_proba([series])[0, 1]:.0%}")

# %%
# A robot
# -------
# A robot drives among pillars. Eight sonars measure the distance to the next one; a driver sets the speeds of two
# motors: away from what is near and has been near lately.

PILLARS = np.random.default_rng(4).uniform(0, 10, size=(14, 2))
ANGLES = np.linspace(-np.pi / 2, np.pi / 2, 8)  # of the sonars


def driver(sonars: np.ndarray) -> np.ndarray:
    """Speeds of the left and the right motor, from the latest sonars (n_steps, 8)."""
    danger = 1 / sonars[-8:]
    sides = danger[:, :4].sum(axis=1) - danger[:, 4:].sum(axis=1)
    turn = 0.05 * (sides * 0.6 ** np.arange(len(sides))[::-1]).sum()
    pace = 0.1 + 0.03 * sonars[-1, 3:5].min()
    return np.array([pace - turn, pace + turn])


def drive(steer, n_steps: int, place: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Table (n_steps, 10) of 8 sonars and the speeds of both motors, and places (n_steps, 2)."""
    heading, sonars, speeds, places = 0.5, [], [], [np.array(place)]
    for _ in range(n_steps):
        towards = (PILLARS - places[-1] + 5) % 10 - 5  # the room repeats
        distance = np.hypot(*towards.T) - 0.3
        bearing = (np.arctan2(towards[:, 1], towards[:, 0]) - heading + np.pi) % (2 * np.pi) - np.pi
        is_seen = np.abs(bearing[:, None] - ANGLES) < 0.25
        sonar = np.where(is_seen, distance[:, None], 5.0).min(axis=0) + 0.05 * rng.normal(size=8)
        sonars.append(np.clip(sonar, 0.1, 5))
        speeds.append(steer(np.array(sonars)))
        heading += 1.5 * (speeds[-1][1] - speeds[-1][0])
        step = np.mean(speeds[-1]) * np.array([np.cos(heading), np.sin(heading)])
        places.append((places[-1] + step) % 10)
    return np.hstack([sonars, speeds]), np.array(places[1:])


# %%
# ``windows`` cuts the table into sequences of 8 steps and the speeds that belong to the last one. The speeds are not in
# the sequences: at ``predict`` the network is to choose them. Later blocks of time are held out, not single windows,
# since windows overlap.

from sknn import NeuralRegressor, windows

table, _ = drive(driver, 1200, place=(5.0, 5.0))
X, y = windows(table, length=8, horizon=0, targets=[8, 9])
print(f"sequences {X.shape}, targets {y.shape}")
started = time.perf_counter()
robot = NeuralRegressor(random_state=0, max_epochs=20).fit(X[:900], y[:900])
print(f"fit: {time.perf_counter() - started:.0f} s, R2 on later steps: {robot.score(X[910:], y[910:]):.3f}")

# %%
# Now the network drives: it is given the latest 8 readings of the sonars, and its speeds move the robot. Both start at
# the same place.


def network(sonars: np.ndarray) -> np.ndarray:
    """Speeds of the left and the right motor, from the latest sonars (n_steps, 8)."""
    window = sonars[-8:]
    window = np.vstack([np.repeat(window[:1], 8 - len(window), axis=0), window])
    return robot.predict(window.T[None])[0]


figure, panels = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
for panel, steer, title in zip(panels, [driver, network], ["the driver", "the network"], strict=True):
    _, places = drive(steer, 150, place=(1.0, 5.0))
    for pillar in PILLARS:
        panel.add_patch(plt.Circle(pillar, 0.3, color="dimgrey"))
    dots = panel.scatter(*places.T, c=np.arange(len(places)), s=12, cmap="plasma")
    panel.set(xlim=(0, 10), ylim=(0, 10), aspect="equal", xticks=[], yticks=[], title=title)
figure.colorbar(dots, ax=panels, label="step")
plt.show()
