"""
=====
Sound
=====

This example makes the calls of four artificial birds, and fits :class:`sknn.NeuralClassifier` with
:class:`sknn.modules.AudioNet` on them: recordings of any length, loud or quiet, with noise, as one list of arrays.
"""

# %%
# Recordings
# ----------
# Each bird has a melody of its own. Every call differs in pitch, speed, loudness and noise, as real ones do. A file of
# sound would be read by ``scipy.io.wavfile.read(path)``, which returns the sampling rate and such an array.

import time

import numpy as np

RATE = 8000  # samples per second
BIRDS = {  # pitch of a call in semitones above its base, from its beginning to its end
    "riser": [0, 2, 5, 9],
    "faller": [9, 6, 3, 0],
    "cuckoo": [7, 7, 3, 3],
    "trill": [0, 5, 0, 5, 0, 5, 0, 5],
}


def call(name: str, rng: np.random.Generator) -> np.ndarray:
    """One call, float32 (n_samples,)."""
    n = int(RATE * rng.uniform(0.35, 0.7))
    melody = BIRDS[name]
    semitones = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(melody)), melody)
    base = rng.uniform(700, 1400)  # Hz
    phase = 2 * np.pi * np.cumsum(base * 2 ** (semitones / 12)) / RATE
    tone = (np.sin(phase) + 0.4 * np.sin(2 * phase)) * np.hanning(n) ** 0.5
    silence = rng.integers(0, RATE // 5, size=2)
    sound = np.pad(tone, silence)
    sound += rng.uniform(0.02, 0.4) * rng.normal(size=len(sound))
    return (10 ** rng.uniform(-2, 0) * sound).astype(np.float32)


rng = np.random.default_rng(0)
names = np.array(sorted(BIRDS))
y = rng.permutation(np.repeat(names, 45))
X = [call(name, rng) for name in y]
X_train, X_test, y_train, y_test = X[:120], X[120:], y[:120], y[120:]
seconds = [len(recording) / RATE for recording in X]
print(f"{len(X)} recordings of {min(seconds):.2f} to {max(seconds):.2f} seconds")

# %%
# Fit
# ---
# The sampling rate is all that has to be said. The network sees spectrograms whose level plays no part, and which
# are changed at random during training.

from sknn import NeuralClassifier
from sknn.modules import AudioNet

started = time.perf_counter()
model = NeuralClassifier(AudioNet, module_params={"sampling_rate": RATE}, random_state=0)
model.fit(X_train, y_train)
print(f"fit: {time.perf_counter() - started:.0f} s, accuracy on new calls: {model.score(X_test, y_test):.3f}")

# %%
# What the network sees
# ---------------------
# :class:`sknn.modules.LogMel` makes the spectrograms: power in 40 bands of frequency, in decibels, over time.

import matplotlib.pyplot as plt
import torch

from sknn.modules import LogMel

log_mel = LogMel(RATE, normalize=True)
probability = model.predict_proba(X_test[:12])
figure, panels = plt.subplots(3, 4, figsize=(11, 7), sharey=True, layout="constrained")
for panel, recording, label, p in zip(panels.flat, X_test, y_test, probability, strict=False):
    spectrogram, _ = log_mel(torch.from_numpy(recording)[None])
    panel.imshow(spectrogram[0], origin="lower", aspect="auto", cmap="magma", extent=(0, len(recording) / RATE, 0, 40))
    predicted = model.classes_[p.argmax()]
    panel.set_title(f"{predicted} {p.max():.0%}", color="black" if predicted == label else "red")
for panel in panels[-1]:
    panel.set_xlabel("seconds")
for panel in panels[:, 0]:
    panel.set_ylabel("mel band")
figure.suptitle("calls that the network has not heard before, with its predictions")

# %%
# What decides
# ------------
# ``explain`` says what each band and frame adds to the score of the predicted bird: red speaks for it, blue against it.

from sknn.inspection import plot_sound

figure, panels = plt.subplots(1, 4, figsize=(11, 2.6), sharey=True, layout="constrained")
for panel, values, p in zip(panels, model.explain(X_test[:4]), probability, strict=False):
    plot_sound(values[:, :, p.argmax()], ax=panel)
    panel.set_title(model.classes_[p.argmax()])

# %%
# How sure it is in noise
# -----------------------
# Ten calls of each bird, in more and more noise.

noises = np.geomspace(0.1, 5, 10)
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for i, name in enumerate(names):
    calls = [x for x, label in zip(X_test, y_test, strict=True) if label == name][:10]
    noisy = [x + noise * np.abs(x).max() * rng.normal(size=len(x)) for noise in noises for x in calls]
    probability = model.predict_proba(noisy)[:, i].reshape(len(noises), len(calls))
    axes.semilogx(noises, probability.mean(axis=1), "o-", label=name)
axes.axhline(1 / len(names), color="grey", linestyle=":", label="by chance")
axes.set(xlabel="noise / loudest part of the call", ylabel="mean probability of the right bird", ylim=(0, 1))
axes.legend()
plt.show()
