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
# converted here; ``module=sknn.modules.ConvNet`` would say the same.

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

figure, axes = plt.subplots(2, 8, figsize=(10, 3.4), layout="constrained")
for axis, i in zip(axes.flat, shown, strict=True):
    axis.imshow(X_test[i], cmap="gray_r", interpolation="bicubic")
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(f"{predicted[i]}  {sureness[i]:.0%}", color="black" if predicted[i] == y_test[i] else "crimson")
axes[0, 0].set_ylabel("least sure")
axes[1, 0].set_ylabel("any")

# %%
# What matters in an image
# ------------------------
# ``explain`` says what each pixel adds to the score of each digit: red pixels speak for the digit, blue ones against
# it.

from sknn.inspection import plot_image

figure, axes = plt.subplots(1, 10, figsize=(10, 1.3), layout="constrained")
first = [np.flatnonzero((y_test == digit) & (predicted == digit))[0] for digit in range(10)]
for digit, (i, values, axis) in enumerate(zip(first, model.explain(X_test[first]), axes, strict=True)):
    plot_image(X_test[i], values[:, :, digit], axis)

# %%
# Photos of any size, in colour
# -----------------------------
# A list may hold images of several sizes. All are resized to the median, or to ``module__image_size``. These are pieces
# of the two photos that ship with scikit-learn: of the left halves for training, of the right halves for the test.

from sklearn.datasets import load_sample_images

PHOTOS = ["temple", "flower"]
random = np.random.default_rng(0)


def pieces(n: int, first: int, last: int) -> tuple[list[np.ndarray], list[str]]:
    """Pieces (height, width, 3) between two columns of both photos, and which photo each is of."""
    X, y = [], []
    for i in random.integers(2, size=n):
        photo, (height, width) = load_sample_images().images[i], random.integers(40, 90, size=2)
        top, left = random.integers(photo.shape[0] - height), random.integers(first, last - width)
        X.append(photo[top : top + height, left : left + width])
        y.append(PHOTOS[i])
    return X, y


photos_train, which_train = pieces(200, 0, 320)
photos_test, which_test = pieces(100, 320, 640)
of_photos = NeuralClassifier(n_networks=1, max_epochs=10, random_state=0).fit(photos_train, which_train)
print(
    f"pieces of {len({x.shape for x in photos_train})} sizes; accuracy: {of_photos.score(photos_test, which_test):.2f}"
)

shares = of_photos.predict_proba(photos_test)
figure, axes = plt.subplots(2, 8, figsize=(10, 3.4), layout="constrained")
for axis, photo, which, share in zip(axes.flat, photos_test, which_test, shares, strict=False):
    axis.imshow(photo)
    axis.set(xticks=[], yticks=[])
    name = of_photos.classes_[share.argmax()]
    axis.set_xlabel(f"{name} {share.max():.0%}", color="black" if name == which else "crimson")

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
plt.show()
