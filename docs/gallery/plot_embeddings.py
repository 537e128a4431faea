"""
==========
Embeddings
==========

What a network has learned is more than its predictions: ``embed`` returns the units of its last hidden layer, in which
rows that mean the same are near each other.
"""

# %%
# Images that are hard to compare
# -------------------------------
# The digits of scikit-learn, each at a random place of a larger picture. Two pictures of the same digit have hardly a
# pixel in common.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from sknn import NeuralClassifier

random = np.random.default_rng(0)
digits = load_digits()
X, y = np.zeros((len(digits.images), 16, 16), dtype=np.uint8), digits.target
for picture, digit in zip(X, digits.images, strict=True):
    top, left = random.integers(0, 9, size=2)
    picture[top : top + 8, left : left + 8] = 15 * digit
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=900, random_state=0, stratify=y)

model = NeuralClassifier(n_networks=2, max_epochs=20, random_state=0).fit(X_train, y_train)
print(f"accuracy: {model.score(X_test, y_test):.3f}, embeddings: {model.embed(X_test).shape}")

# %%
# Search for the nearest neighbours
# ---------------------------------
# The pictures that the network has not seen are the collection that is searched. For each query, the first row shows
# the nearest pictures by their pixels, the second row by their embeddings. Other digits than the query are crossed out.

pixels, units = X_test.reshape(len(X_test), -1).astype(float), model.embed(X_test)
queries = [int(np.flatnonzero(y_test == digit)[0]) for digit in (2, 3, 5, 8)]
figure, axes = plt.subplots(8, 9, figsize=(8, 8), layout="constrained")
for row, (query, (name, columns)) in enumerate(
    (query, way) for query in queries for way in (("pixels", pixels), ("embedding", units))
):
    search = NearestNeighbors(n_neighbors=9, metric="cosine").fit(columns)
    found = search.kneighbors(columns[[query]], return_distance=False)[0]
    for i, axis in zip(found, axes[row], strict=True):
        axis.imshow(X_test[i], cmap="gray_r")
        axis.set(xticks=[], yticks=[])
        if y_test[i] != y_test[query]:
            axis.plot([0, 15], [15, 0], color="crimson", linewidth=3)
    axes[row, 0].set_ylabel(name)
    axes[row, 0].spines[:].set_color("tab:blue")
    axes[row, 0].spines[:].set_linewidth(3)

# %%
# How often the 8 nearest neighbours are the same digit:

for name, columns in (("pixels", pixels), ("embeddings", units)):
    search = NearestNeighbors(n_neighbors=9, metric="cosine").fit(columns)
    found = search.kneighbors(columns, return_distance=False)[:, 1:]
    print(f"{name}: {(y_test[found] == y_test[:, None]).mean():.2f}")

# %%
# New classes from a few examples
# -------------------------------
# A network that never saw a 7, an 8 or a 9 knows strokes and arcs all the same. Three examples of each are enough to
# recognise them by their neighbours.

known = np.isin(y_train, range(7))
of_seven = NeuralClassifier(n_networks=2, max_epochs=20, random_state=0).fit(X_train[known], y_train[known])
few = np.concatenate([np.flatnonzero(y_train == digit)[:3] for digit in (7, 8, 9)])
new = y_test > 6
for name, columns in (("pixels", lambda X: X.reshape(len(X), -1)), ("embeddings", of_seven.embed)):
    neighbours = KNeighborsClassifier(1, metric="cosine").fit(columns(X_train[few]), y_train[few])
    print(f"{name}: accuracy {neighbours.score(columns(X_test[new]), y_test[new]):.2f}")

# %%
# Vectors of categories
# ---------------------
# For columns with many categories the network learns a vector of each value. Here the target depends on where a city
# is, which no column says. The first two principal components of the vectors show the map.

import pandas as pd
from sklearn.decomposition import PCA

from sknn import NeuralRegressor

places = random.uniform(-1, 1, size=(60, 2))
cities = np.array([f"city {i}" for i in range(60)])
which = random.integers(60, size=4000)
season = random.uniform(0, 1, size=4000)
# Sun in the east comes early, and in the north it is cold.
target = places[which, 0] * np.cos(2 * np.pi * season) + places[which, 1] * np.sin(2 * np.pi * season)
table = pd.DataFrame({"city": cities[which], "season": season})
regressor = NeuralRegressor(random_state=0).fit(table, target + 0.1 * random.normal(size=4000))

values, vectors = regressor.category_embeddings_["city"]
print(f"{len(values)} values, vectors of width {vectors.shape[1]}")
where = places[[int(value.split()[1]) for value in values]]
on_paper = PCA(2).fit_transform(vectors)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for axis, title, xy in zip(axes, ("true places", "learned vectors, two components"), (where, on_paper), strict=True):
    axis.scatter(*xy.T, c=np.stack([(1 + where[:, 0]) / 2, 0.4 + 0 * where[:, 0], (1 + where[:, 1]) / 2], axis=1), s=60)
    axis.set(title=title, xticks=[], yticks=[])
plt.show()
