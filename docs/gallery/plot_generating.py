"""
=================
Generating images
=================

:class:`sknn.NeuralGenerator` learns what images are like and makes new ones, each with the label that is asked for.
"""

# %%
# Digits
# ------
# Real digits are in the first two rows, made ones in the others. Training takes a minute.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import NeuralGenerator
from sknn.inspection import compare

digits = load_digits()
X, X_test, y, y_test = train_test_split(
    digits.images.astype(np.uint8), digits.target, stratify=digits.target, random_state=0
)
generator = NeuralGenerator(random_state=0).fit(X, y)
made = generator.sample(y=np.resize(np.arange(10), 600), random_state=0)

figure, axes = plt.subplots(6, 10, figsize=(7, 4.3))
real = [X[y == label][row] for row in range(2) for label in range(10)]
for axis, image in zip(axes.flat, [*real, *made[:40]], strict=True):
    axis.imshow(image, cmap="Greys")
    axis.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("real")
axes[2, 0].set_ylabel("made")
figure.tight_layout(pad=0.3)

# %%
# Copies?
# -------
# A generator that returned its training images would make perfect digits. :func:`sknn.inspection.compare` measures how
# near made images are to training images, beside images that were not used for training.

report = compare(X_test, made, train=X, random_state=0)
print(report)
report.plot()
plt.show()
