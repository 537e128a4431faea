"""
=====
Texts
=====

:class:`sknn.NeuralClassifier` fits a list of texts as it is. Here they are sentences from the documentation of
scikit-learn, and the question is which part of the library a sentence is about.
"""

# %%
# Texts with labels
# -----------------
# Each function and class has a docstring; every sentence of it is a text, its label is the subpackage.

import importlib
import inspect
import re
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from sknn import NeuralClassifier

PARTS = ["cluster", "decomposition", "ensemble", "linear_model", "metrics", "preprocessing"]

labels_of = {}
for part in PARTS:
    package = importlib.import_module(f"sklearn.{part}")
    for name in package.__all__:
        text = inspect.getdoc(getattr(package, name)) or ""
        text = re.sub(rf">>>.*|\.\. .*|[`*]|{part}\w*", " ", text)  # without code and the name of the part
        for sentence in re.split(r"\.\s|\n\n", text):
            sentence = " ".join(sentence.split())
            if 40 < len(sentence) < 300:
                labels_of.setdefault(sentence, set()).add(part)
texts = [sentence for sentence, parts in labels_of.items() if len(parts) == 1]  # others tell nothing
labels = [next(iter(labels_of[sentence])) for sentence in texts]
X_train, X_test, y_train, y_test = train_test_split(texts, labels, test_size=0.3, random_state=0, stratify=labels)
print(f"{len(X_train)} texts, such as", repr(X_train[0]))

# %%
# Fit
# ---
# The network is a :class:`~sknn.modules.TextNet`: learned weights of the words, pairs of words and pieces of words that
# a text contains.

started = time.perf_counter()
model = NeuralClassifier(random_state=0).fit(X_train, y_train)
print(f"{model.n_iter_} epochs: {time.perf_counter() - started:.1f} s")
print(f"accuracy on {len(X_test)} other sentences: {model.score(X_test, y_test):.3f}")

figure, axis = plt.subplots(figsize=(6, 5))
ConfusionMatrixDisplay.from_predictions(
    y_test, model.predict(X_test), normalize="true", values_format=".0%", cmap="Greens", colorbar=False, ax=axis,
    xticks_rotation=30,
)  # fmt: skip
axis.set_title("share of the sentences of each part")
figure.tight_layout()

# %%
# Words that matter
# -----------------
# A word is a text, too: its probabilities say how it is understood. Shown are the words that speak most clearly for
# each part. Words with a common stem often come together, since they share pieces.

words = sorted({word for text in X_train for word in re.findall("[a-z]{3,}", text.lower())})
probability = model.predict_proba(words)

figure, axes = plt.subplots(2, 3, figsize=(10, 6), sharex=True)
for axis, part, column, color in zip(axes.flat, model.classes_, probability.T, plt.cm.Dark2.colors, strict=False):
    best = np.argsort(column)[-10:]
    axis.barh([words[i] for i in best], column[best], color=color)
    axis.set_title(part, color=color)
    axis.spines[["top", "right"]].set_visible(False)
figure.supxlabel("probability of the part, given this word alone")
figure.tight_layout()

# %%
# What decides about a sentence
# -----------------------------
# Each word is left out in turn. The greener it is, the more the probability of the predicted part falls without it; the
# redder, the more it rises.

predicted = model.predict(X_test)
sure = model.predict_proba(X_test).max(axis=1)
is_prose = np.array([bool(re.fullmatch("[A-Z][A-Za-z ,'-]{40,85}", text)) for text in X_test])
shown = [np.flatnonzero((predicted == part) & (sure < 0.9) & is_prose)[0] for part in PARTS]

figure, axis = plt.subplots(figsize=(10, 3.6))
figure.canvas.draw()
for row, i in enumerate(shown):
    split = X_test[i].split()
    without = [" ".join(split[:k] + split[k + 1 :]) for k in range(len(split))]
    column = list(model.classes_).index(predicted[i])
    change = sure[i] - model.predict_proba(without)[:, column]
    color = "black" if predicted[i] == y_test[i] else "crimson"
    axis.text(0.0, -row, f"{predicted[i]} {sure[i]:.0%}", va="center", weight="bold", color=color)
    x = 0.19
    for word, share in zip(split, change, strict=True):
        shade = (*(plt.cm.Greens if share > 0 else plt.cm.Reds)(min(1.0, 3 * abs(share)))[:3], 0.6)
        box = {"facecolor": shade, "edgecolor": "none", "pad": 1.5}
        drawn = axis.text(x, -row, word, va="center", fontsize=9, bbox=box)
        x = axis.transData.inverted().transform(drawn.get_window_extent())[1, 0] + 0.008
axis.set(xlim=(0, 1), ylim=(-len(shown) + 0.5, 0.5))
axis.axis("off")
figure.tight_layout()
plt.show()
