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
from collections import Counter

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
# A word is a text, too: its probabilities say how it is understood. Shown are the words of which a part has a
# probability of more than 0.8: the most frequent ten of each part.

counts = Counter(word for text in X_train for word in set(re.findall("[a-z]{3,}", text.lower())))
words = sorted(counts)
probability = model.predict_proba(words)

figure, axes = plt.subplots(2, 3, figsize=(10, 6))
for axis, part, column, color in zip(axes.flat, model.classes_, probability.T, plt.cm.Dark2.colors, strict=False):
    clear = [word for word, p in zip(words, column, strict=True) if p > 0.8]
    best = sorted(clear, key=counts.__getitem__)[-10:]
    axis.barh(best, [counts[word] for word in best], color=color)
    axis.set_title(part, color=color, weight="bold")
    axis.spines[["top", "right"]].set_visible(False)
figure.supxlabel("sentences that contain the word")
figure.tight_layout()

# %%
# What decides about a sentence
# -----------------------------
# ``explain`` says what each word adds to the score of each part: red words speak for the predicted part, blue ones
# against it. A wrong prediction is red.

from sknn.inspection import plot_text

predicted = model.predict(X_test)
sure = model.predict_proba(X_test).max(axis=1)
is_prose = np.array([bool(re.fullmatch("[A-Z][a-z ,'-]{45,75}", text)) for text in X_test])
is_shown = is_prose & (sure > 0.7) & (sure < 0.97)
shown = np.concatenate([np.flatnonzero(is_shown & (predicted == part))[:2] for part in PARTS])

figure, axes = plt.subplots(len(shown), 1, figsize=(11, 0.35 * len(shown)), gridspec_kw={"left": 0.2})
explained = model.explain([X_test[i] for i in shown])
for axis, i, words in zip(axes, shown, explained, strict=True):
    plot_text(words.of_output(list(model.classes_).index(predicted[i])), axis)
    color = "black" if predicted[i] == y_test[i] else "crimson"
    axis.set_title(f"{predicted[i]} {sure[i]:.0%}", loc="left", x=-0.22, y=-0.2, size=10, weight="bold", color=color)
plt.show()
