"""
=====================================
Decisions whose errors differ in cost
=====================================

A classifier gives probabilities; which of them are enough to act depends on what errors cost. So the threshold is
tuned, and the network stays as it is.
"""

# %%
# Rare and expensive
# ------------------
# One row in fifteen is positive. To miss one costs 10, a false alarm costs 1.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import confusion_matrix, make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from sknn import NeuralClassifier

MISSED, FALSE_ALARM = 10, 1
X, y = make_classification(
    6000, 20, n_informative=6, n_redundant=4, weights=[0.95], flip_y=0.05, class_sep=0.7, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=1500, stratify=y, random_state=0)


def cost(y_true, y_pred):
    """Mean cost of a row."""
    (_, false_alarms), (missed, _) = confusion_matrix(y_true, y_pred)
    return (FALSE_ALARM * false_alarms + MISSED * missed) / len(y_true)


# %%
# Tune the threshold
# ------------------
# scikit-learn finds the best threshold by cross-validation, and fits the network once more to all rows.

tuned = TunedThresholdClassifierCV(
    NeuralClassifier(random_state=0), scoring=make_scorer(cost, greater_is_better=False), cv=3, random_state=0
).fit(X_train, y_train)
network = tuned.estimator_
print(f"threshold 0.5:                 cost {cost(y_test, network.predict(X_test)):.3f} a row")
print(f"tuned threshold, {tuned.best_threshold_:.3f}:        cost {cost(y_test, tuned.predict(X_test)):.3f} a row")

# %%
# Or compute it
# -------------
# Where probabilities can be trusted, the threshold is known without any search: to act pays if the probability times
# the cost of a missed row exceeds that of a false alarm, which is from 1 / (1 + 10) on.

by_costs = FALSE_ALARM / (FALSE_ALARM + MISSED)
chance = network.predict_proba(X_test)[:, 1]
thresholds = np.linspace(0.01, 0.8, 80)
costs = [cost(y_test, chance >= threshold) for threshold in thresholds]
print(f"threshold from the costs, {by_costs:.3f}: cost {cost(y_test, chance >= by_costs):.3f} a row")

figure, axis = plt.subplots(figsize=(7, 3.6))
axis.plot(thresholds, costs, color="0.3", label="cost on the test rows")
for name, threshold, color in (
    ("0.5", 0.5, "C3"),
    ("tuned on training rows", tuned.best_threshold_, "C0"),
    ("from the costs", by_costs, "C2"),
):
    height = cost(y_test, chance >= threshold)
    axis.scatter([threshold], [height], color=color, zorder=3, label=f"threshold {name}")
axis.set(xlabel="threshold of the probability", ylabel="cost of a row", xlim=(0, 0.8), ylim=(0, None))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(frameon=False)
figure.tight_layout()
plt.show()
