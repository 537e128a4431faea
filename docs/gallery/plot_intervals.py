"""
==================
Intervals and sets
==================

How sure is a prediction? :meth:`sknn.NeuralRegressor.predict_interval` gives a range for each number, and
:meth:`sknn.NeuralClassifier.predict_set` the classes that come into question, both with a probability of your choice.
"""

# %%
# A range for each number
# -----------------------
# The noise grows from the left to the right. The networks of a fit hold rows out; their errors on these rows say how
# wide an interval must be, and where. Nothing is fitted again for another level.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier, NeuralRegressor

random = np.random.default_rng(0)


def waves(n):
    x = random.uniform(0, 10, n)
    return x[:, None], np.sin(x) + 0.02 * x**1.8 * random.normal(size=n)


X, y = waves(2000)
model = NeuralRegressor(random_state=0).fit(X, y)

grid = np.linspace(0, 10, 300)[:, None]
figure, axis = plt.subplots(figsize=(8, 4))
axis.scatter(X[:500, 0], y[:500], s=6, color="0.5", label="rows of the fit")
for level, alpha in ((0.95, 0.15), (0.8, 0.25), (0.5, 0.4)):
    lower, upper = model.predict_interval(grid, level).T
    axis.fill_between(grid[:, 0], lower, upper, color="C0", alpha=alpha, linewidth=0, label=f"{level:.0%}")
axis.plot(grid[:, 0], model.predict(grid), color="C0", label="prediction")
axis.set(xlabel="x", ylabel="y", xlim=(0, 10))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(loc="upper left", ncols=5, frameon=False, fontsize="small")
axis.set_ylim(-3.2, 4.2)
figure.tight_layout()

# %%
# Asked and got
# -------------
# On new rows, the share that is covered is the level that was asked for: of all rows, and of the fifth of them with the
# widest intervals.

X_new, y_new = waves(5000)
levels = np.linspace(0.1, 0.98, 23)
covered, of_widest = [], []
for level in levels:
    lower, upper = model.predict_interval(X_new, level).T
    is_in = (lower <= y_new) & (y_new <= upper)
    widest = np.argsort(upper - lower)[-1000:]
    covered.append(is_in.mean())
    of_widest.append(is_in[widest].mean())

figure, axis = plt.subplots(figsize=(4.5, 4.5))
axis.plot([0, 1], [0, 1], color="0.7", linestyle=":")
axis.plot(levels, covered, marker="o", markersize=4, label="all new rows")
axis.plot(levels, of_widest, marker="o", markersize=4, label="the fifth with the widest intervals")
axis.set(xlabel="confidence_level", ylabel="share of rows in their interval", xlim=(0, 1), ylim=(0, 1), aspect="equal")
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False, loc="upper left")
figure.tight_layout()

# %%
# Sets of classes
# ---------------
# Handwritten digits of 8 x 8 pixels, as columns of a table. At 98 %, most sets hold one digit; the others say between
# which digits the classifier hesitates.

images, digits = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(images, digits, test_size=0.5, random_state=0)
classifier = NeuralClassifier(random_state=0).fit(X_train[:500], y_train[:500])
sets = classifier.predict_set(X_test, confidence_level=0.98)
sizes = sets.sum(axis=1)
print(f"accuracy {classifier.score(X_test, y_test):.3f}")
print(f"true digit in the set: {sets[np.arange(len(y_test)), y_test].mean():.3f}")
print(f"digits in a set: {sizes.mean():.2f}; sets of one digit: {np.mean(sizes == 1):.2f}")

shown = np.concatenate([np.flatnonzero(sizes == 1)[:4], np.flatnonzero(sizes == 2)[:4], np.flatnonzero(sizes == 3)[:4]])
figure, axes = plt.subplots(2, 6, figsize=(8, 3.4))
for axis, i in zip(axes.flat, shown, strict=False):
    axis.imshow(X_test[i].reshape(8, 8), cmap="Greys")
    axis.set_title("or ".join(f"{digit} " for digit in classifier.classes_[sets[i]]), fontsize="medium")
    axis.axis("off")
figure.tight_layout()
plt.show()
