"""
======================
Ranking within queries
======================

:class:`sknn.NeuralRanker` ranks the rows of each query. Here, a shop orders the offers of a search, and what counts is
how an offer compares with the others of the same search.
"""

# %%
# Offers
# ------
# A search finds 5 to 30 offers. Customers like what is cheap and well rated *among these*, and not sold out. Relevance
# is 0 (not looked at) to 3 (bought).

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sknn import NeuralRanker, NeuralRegressor
from sknn.metrics import ndcg_by_query

rng = np.random.default_rng(0)
search = np.repeat(np.arange(400), rng.integers(5, 31, 400))
level = np.exp(rng.normal(4, 1, 400))[search]  # of prices: a search for batteries, or for bicycles
offers = pd.DataFrame({
    "price": (level * np.exp(0.4 * rng.normal(size=len(search)))).round(2),
    "stars": (3 + rng.normal(size=400)[search] * 0.7 + 0.6 * rng.normal(size=len(search))).clip(1, 5).round(1),
    "in_stock": rng.random(len(search)) < 0.7,
    "brand": rng.choice(list("abcdef"), len(search)),
})  # fmt: skip
of_search = offers.groupby(search)
cheapness = -np.log(offers["price"] / of_search["price"].transform("median"))
liked = 2 * cheapness + 1.5 * (offers["stars"] - of_search["stars"].transform("mean")) + 1.5 * offers["in_stock"]
relevance = np.digitize(liked + 0.7 * rng.normal(size=len(search)), [0.5, 2.0, 3.0])
train, test = search < 300, search >= 300

# %%
# Fit
# ---
# The ranker sees each number, its z-score and its rank within the search. A regressor sees the numbers alone.

ranker = NeuralRanker(random_state=0).fit(offers[train], relevance[train], qid=search[train])
regressor = NeuralRegressor(random_state=0).fit(offers[train], relevance[train])
scores = {
    "at random": rng.random(test.sum()),
    "NeuralRegressor": regressor.predict(offers[test]),
    "NeuralRanker": ranker.predict(offers[test], qid=search[test]),
}
ndcg = {name: ndcg_by_query(relevance[test], found, search[test], k=5) for name, found in scores.items()}
for name, values in ndcg.items():
    print(f"{name:16} NDCG@5 {np.nanmean(values):.3f}")

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for color, (name, values) in zip(("0.6", "C1", "C0"), ndcg.items(), strict=True):
    values = np.sort(values[~np.isnan(values)])
    axes[0].plot(values, np.linspace(0, 1, len(values)), color=color, label=f"{name}: {values.mean():.2f}")
axes[0].set(xlabel="NDCG@5 of a search", ylabel="share of the searches below", ylim=(0, 1), xlim=(0, 1.01))
axes[0].legend(frameon=False, loc="upper left", title="mean")

# %%
# What counts
# -----------
# ``explain`` adds the effect of a number and of its place among the others. The score of an offer falls with its price
# relative to the search, whatever the level of prices.

attributions = ranker.explain(offers[test], qid=search[test])
relative = np.exp(-cheapness[test])
points = axes[1].scatter(relative, attributions[:, 0], c=np.log10(offers["price"][test]), s=5, cmap="viridis")
axes[1].set(xlabel="price / median price of the search", ylabel="effect on the score", xscale="log")
axes[1].set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
axes[1].minorticks_off()
bar = figure.colorbar(points, ax=axes[1], label="price", ticks=[1, 2, 3])
bar.ax.set_yticklabels(["10", "100", "1000"])
for axis in axes:
    axis.spines[["top", "right"]].set_visible(False)
figure.tight_layout()
plt.show()
