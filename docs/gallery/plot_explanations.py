"""
=========================
What decides a prediction
=========================

This example fits :class:`sknn.NeuralRegressor` to a table of flats that was made up, so that what decides the rent is
known, and compares what ``explain`` finds with it.
"""

# %%
# Flats
# -----
# The rent depends on the size, more so in the center; on the age, where old houses are dear again; and on the floor,
# which is not always known. The colour of the door says nothing.

import time

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 3000
X = pd.DataFrame({
    "size": rng.uniform(30, 150, n).round(),
    "district": rng.choice(["center", "north", "south"], n),
    "year": rng.integers(1880, 2025, n).astype(float),
    "floor": np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 6, n)),
    "door": rng.choice(["red", "green", "blue"], n),
})  # fmt: skip
per_square_metre = X["district"].map({"center": 12.0, "north": 8.0, "south": 7.0})
effect_of_year = 0.04 * (X["year"] - 1960).clip(-60, 40) ** 2
y = per_square_metre * X["size"] + effect_of_year + 15 * X["floor"].fillna(2.0) + rng.normal(0, 20, n)
X_train, X_test, y_train = X[:2000], X[2000:], y[:2000]

# %%
# Fit and explain
# ---------------
# An attribution is in the unit of the rent. Those of a row sum to its prediction, less the mean prediction for the
# flats of the background.

from sknn import NeuralRegressor

model = NeuralRegressor(random_state=0).fit(X_train, y_train)
background = X_train[:30]
attributions = model.explain(X_test, background=background)
start = model.predict(background).mean()
error = np.abs(start + attributions.sum(axis=1) - model.predict(X_test)).max()
print(f"mean rent {start:.0f}, attributions {attributions.shape}, largest error of a sum {error:.3f}")

started = time.perf_counter()
model.explain(X_test)
print(f"1,000 rows beside one baseline: {1000 * (time.perf_counter() - started):.0f} ms")

# %%
# All flats, and one
# ------------------
# Left: the attributions of all flats, one dot each, coloured by the value of the column. Right: one flat.

import matplotlib.pyplot as plt

order = np.abs(attributions).mean(axis=0).argsort()
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for place, column in enumerate(order):
    values = X_test.iloc[:, column]
    numbers = values if values.dtype.kind == "f" else pd.Series(pd.factorize(values, sort=True)[0])
    heights = place + rng.uniform(-0.25, 0.25, len(X_test))
    left.scatter(attributions[:, column], heights, c=numbers.rank(), s=4, cmap="coolwarm", plotnonfinite=True)
left.set(yticks=range(len(order)), yticklabels=X.columns[order], xlabel="added to the rent")
left.axvline(0, color="grey", lw=0.5)
left.set_title("red: large values, or the last name in the alphabet", fontsize="medium")

flat = 4
labels = [f"{name} = {X_test.iloc[flat][name]}" for name in X.columns[order]]
labels = [label.removesuffix(".0") for label in labels]
shares = attributions[flat, order]
right.barh(labels, shares, color=np.where(shares > 0, "tab:red", "tab:blue"))
right.axvline(0, color="grey", lw=0.5)
right.set_title(
    f"{start:.0f} on average, {model.predict(X_test[flat : flat + 1])[0]:.0f} for this flat", fontsize="medium"
)
right.set_xlabel("added to the rent")

# %%
# Found and true
# --------------
# The effects of a column that acts by itself are found up to the noise, and those of the size depend on the district,
# which shares them.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
true = effect_of_year[2000:] - effect_of_year[background.index].mean()
by_year = X_test["year"].argsort()
left.plot(X_test["year"], attributions[:, 2], ".", ms=3, label="explained")
left.plot(X_test["year"].iloc[by_year], true.iloc[by_year], color="black", label="true")
left.set(xlabel="year", ylabel="added to the rent")
left.legend()
for district, rows in X_test.groupby("district"):
    right.plot(rows["size"], attributions[rows.index - 2000, 0], ".", ms=3, label=district)
right.set(xlabel="size", ylabel="added to the rent")
right.legend()
plt.show()
