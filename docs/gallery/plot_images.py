"""
======
Images
======

:class:`sknn.NeuralClassifier` fits images as they are: an array ``(n, height, width)`` or with channels, or a list of
images of ``PIL``. Here they are the 8 x 8 digits that ship with scikit-learn.
"""

# %%
# Fit
# ---
# Nothing needs preparation: fit scales the pixels, and the network is a :class:`~sknn.modules.ConvNet`, sized by the
# images. Pixels of any range will do. Grey images that are not ``uint8`` could be sequences as well, so they are
# converted here; ``module=ConvNet`` would say the same.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier

images, digits = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8).astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(images, digits, train_size=500, random_state=0, stratify=digits)

started = time.perf_counter()
model = NeuralClassifier(n_networks=1, max_epochs=20, random_state=0).fit(X_train, y_train)
print(f"{len(X_train)} images, {model.n_iter_} epochs: {time.perf_counter() - started:.1f} s")
print(f"accuracy on {len(X_test)} others: {model.score(X_test, y_test):.3f}")

# %%
# Images with their predictions
# -----------------------------
# Below each image stand the predicted digit and its probability, in red where it is wrong. These are the eight images
# of which the network is least sure, and eight others.

probabilities = model.predict_proba(X_test)
predicted = model.classes_[probabilities.argmax(axis=1)]
sureness = probabilities.max(axis=1)
shown = np.concatenate([np.argsort(sureness)[:8], np.arange(8)])

figure, axes = plt.subplots(2, 8, figsize=(10, 3.2))
for axis, i in zip(axes.flat, shown, strict=True):
    axis.imshow(X_test[i], cmap="gray_r")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(f"{predicted[i]}  {sureness[i]:.0%}", color="black" if predicted[i] == y_test[i] else "crimson")
figure.suptitle("predicted digit and its probability: least sure (above), and any (below)")
figure.tight_layout()

# %%
# Images of other sizes
# ---------------------
# A list may hold images of several sizes. All are resized to the median, or to ``module__image_size``.

random = np.random.default_rng(0)
ragged = [image[: random.integers(6, 9), : random.integers(6, 9)] for image in X_train]
cropped = NeuralClassifier(n_networks=1, max_epochs=3, random_state=0).fit(ragged, y_train)
print(f"{len({image.shape for image in ragged})} sizes, read as {cropped.module_.stem.layers[0].in_channels} channel")

# %%
# A backbone that was trained before
# ----------------------------------
# A pretrained network is passed as an instance; parameters that do not require a gradient stay as they are. Here the
# backbone is that of the model above, which knows all ten digits, and only a new last layer is trained, to tell even
# from odd. A backbone of another library is used in the same way.

import copy

import torch
from torch import nn


class Frozen(nn.Module):
    """The stem and the stages of a trained ConvNet, and a new last layer."""

    def __init__(self, trained, n_classes):
        super().__init__()
        self.backbone = nn.Sequential(copy.deepcopy(trained.stem), copy.deepcopy(trained.stages)).requires_grad_(False)
        self.head = nn.Linear(trained.head.in_features, n_classes)

    def train(self, mode=True):
        """The statistics of the batch norms stay, too."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, x):
        return self.head(self.backbone(x).mean((2, 3)))


parity = np.where(y_train % 2, "odd", "even")
few = np.arange(60)
model_of_few = NeuralClassifier(Frozen(model.module_, 2), lr=0.01, max_epochs=60, random_state=0)
model_of_few.fit(X_train[few], parity[few])
same = [
    torch.equal(a, b)
    for a, b in zip(model_of_few.module_.backbone[1].parameters(), model.module_.stages.parameters(), strict=True)
]
print(f"accuracy after {len(few)} images: {model_of_few.score(X_test, np.where(y_test % 2, 'odd', 'even')):.3f}")
print(f"the backbone is unchanged: {all(same)}")
