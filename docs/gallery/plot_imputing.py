"""
============
Filling gaps
============

:class:`sknn.NeuralImputer` fills the gaps of a table in the light of the other cells of a row, or draws what they may
have been.
"""

# %%
# Two chemical measurements of wines, where a third of the second one is missing. The most likely values lie on a line;
# draws scatter as the real values do.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine

from sknn import NeuralImputer

wines = load_wine(as_frame=True).data
hidden = np.random.default_rng(0).random(len(wines)) < 1 / 3
gappy = wines.copy()
gappy.loc[hidden, "flavanoids"] = np.nan

imputer = NeuralImputer(random_state=0).fit(gappy)
expected = imputer.transform(gappy)
drawn = imputer.set_params(sample=True).transform(gappy)

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharex=True, sharey=True, layout="constrained")
tables = {"real values": wines, "the most likely values": expected, "draws": drawn}
for axis, (title, table) in zip(axes, tables.items(), strict=True):
    axis.scatter(wines["total_phenols"][~hidden], wines["flavanoids"][~hidden], s=8, color="0.75")
    axis.scatter(table["total_phenols"][hidden], table["flavanoids"][hidden], s=12, color="tab:orange")
    axis.set(title=title, xlabel="total phenols")
axes[0].set_ylabel("flavanoids")
plt.show()

# %%
# How far from the truth, in standard deviations? The mean of the column has an error of 1.

for title, table in tables.items():
    error = (table["flavanoids"] - wines["flavanoids"])[hidden].pow(2).mean() ** 0.5 / wines["flavanoids"].std()
    print(f"{title}: {error:.2f}")
