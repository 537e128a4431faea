"""
=====================================
Probabilities that mean what they say
=====================================

Of all rows that are given a probability of 0.3, three in ten shall be positive. A fit of :class:`sknn.NeuralClassifier`
divides its scores by a temperature that suits the rows that it held out, so no further step is needed. This example
looks at its probabilities beside those of simple models.
"""

# %%
# A noisy task
# ------------
# No model can be sure here: one label in ten is wrong, so that no row deserves a probability beyond 0.9.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay, calibration_curve
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier, baselines

X, y = make_classification(6000, 20, n_informative=8, n_clusters_per_class=3, flip_y=0.2, class_sep=0.8, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1500, random_state=0)
models = {"sknn": NeuralClassifier(random_state=0), **baselines(X_train, y_train, random_state=0)}
del models["dummy"]
for model in models.values():
    model.fit(X_train, y_train)

# %%
# Predicted and observed
# ----------------------
# Each point is a tenth of the test rows. On the dotted line the observed share is the predicted probability; below it
# the model promises too much.

figure, axis = plt.subplots(figsize=(5, 5))
for name, model in models.items():
    CalibrationDisplay.from_estimator(
        model, X_test, y_test, n_bins=10, strategy="quantile", name=name, ax=axis, pos_label=1
    )
axis.set(xlabel="predicted probability", ylabel="observed share", xlim=(0, 1), ylim=(0, 1), aspect="equal")
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False, loc="upper left")
figure.tight_layout()

# %%
# In one number
# -------------
# The expected calibration error is the mean distance from the dotted line. It says nothing about how well rows are told
# apart: a constant is calibrated, too. The log loss measures both. Here the linear model is calibrated best, since it
# dares least; the network tells the rows apart better, and its log loss is the lowest by far.


def expected_calibration_error(model):
    observed, predicted = calibration_curve(y_test, model.predict_proba(X_test)[:, 1], n_bins=10, strategy="quantile")
    return np.abs(observed - predicted).mean()


for name, model in models.items():
    error, loss = expected_calibration_error(model), log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:8} expected calibration error {error:.3f}, log loss {loss:.3f}")
plt.show()
