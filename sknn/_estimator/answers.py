"""What a fitted estimator answers beside predictions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import torch

from .._errors import refused_as, shown
from .._explain.explain import METHODS, Explained, Fitted, explained
from .._explain.parts import ExplainedParts, explained_parts
from .._network.hidden import category_vectors
from .._settings import default_settings
from .._threads import limited_threads
from ..modules._checks import check_size
from .fitted import FittedEstimator
from .prediction import hidden_layer

__all__ = ["Answers"]

_ROWS_OF_A_STEP = 512  # that are computed together in an explanation, about


class Answers(FittedEstimator):
    """Embeddings of rows and of categories, and explanations."""

    def embed(self, X: Any) -> np.ndarray:
        """Units of the last hidden layer: what the network has made of each row before its output layer.

        Rows that the network treats alike are near each other. The units of all networks of the committee, and of their
        members, stand side by side: those of two networks do not correspond, so they are not averaged.

        Parameters
        ----------
        X : table, texts, images, sequences or sounds of n_samples rows, as in `fit`

        Returns
        -------
        units : ndarray of shape (n_samples, width), float32
            For the default network of a table with at most 64 numeric columns, the width is 448 up to 100 rows in
            `fit`, 512 up to 1,500, 1,024 up to 5,000, 512 up to 50,000 and 128 beyond.

        Raises
        ------
        ValueError
            The last hidden layer of a module of your own is unknown: give it a method ``forward_hidden`` that returns
            it. Without that it is the input of the linear layer that runs last.
        """
        X = self._check_X(X)
        with default_settings(foreign_code=self.net_.has_foreign_code), torch.inference_mode():
            return hidden_layer(self.net_, self._inputs, X).numpy()

    @property
    def category_embeddings_(self) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
        """Learned vectors of categories: name of a column, or position -> its values, and float32 (n_values, width).

        There are vectors of the columns with more than 8 values in `fit`; fewer are one-hot encoded. A `FTTransformer`
        has them of all categorical columns. Vectors of all networks of the committee stand side by side.
        """
        if not self.__sklearn_is_fitted__():
            raise AttributeError(f"{type(self).__name__} has no category_embeddings_ before fit.")
        vectors = category_vectors(self.net_.module_, self._inputs.cardinalities)
        if not vectors:
            raise AttributeError(
                f"{type(self).__name__} has no category_embeddings_: the network has learned no vectors of categories. "
                "TabM, MLP and ResNet learn them for columns with more than 8 values, FTTransformer for all "
                "categorical columns."
            )
        categories = self._inputs.categories
        with torch.no_grad():
            return {  # without the codes of unknown and missing values, the first and the last
                name: (_array(values), vectors[i][1:-1].float().cpu().numpy().copy())
                for i, (name, values) in categories.items()
                if i in vectors
            }

    def explain(self, X: Any, *, method: str = "auto", background: Any = None, max_evals: int = 500) -> Any:
        """What each column of a row adds to its prediction, beside that of a baseline; or each pixel, step or word.

        The attributions of a row sum to its score minus that of the baseline. The score is the prediction itself for
        numbers, in the unit of y, and its logarithm for a loss with a log link (``"poisson"``); for two classes the
        log-odds ``log(p / (1 - p))`` of the second one; for more classes the logarithms of their probabilities, less
        the mean of these logarithms; for label indicators the log-odds of each label; for a loss with a link of your
        own the raw scores. The predictions of a committee are explained, not those of its networks.

        The baseline is the row that the network takes for an average one: the median of each number, the category
        "unknown", no gap. Zeros stay zeros in sparse matrices and with ``preprocessing=False``. Of images it is the
        mean colour of the training images; of sequences a flat line in the centre of each channel; of texts one
        without words, or of unknown words (`TextTransformer`); of sounds one that is as loud in all bands and frames as
        the recording is in the median, or silence for a module that reads waveforms.

        Parameters
        ----------
        X : table, texts, images, sequences or sounds of n_samples rows, as in `fit`
        method : {"auto", "gradients", "permutation"}, default="auto"
            * "gradients": integrated gradients on the line from the baseline to the row, in the space of scaled numbers
              and of embeddings.
            * "permutation": Shapley values by sampled permutations of the columns, for any module, or of windows of
              time for `SequenceNet`.
            * "auto": gradients, and permutations where a module of your own, or `SequenceNet`, has none.
        background : few rows as X, default=None
            Rows to use as baselines instead, such as 50 rows of the training data. The attributions are the mean over
            them, and so are the scores that they start from. The time is in proportion to their number.
        max_evals : int, default=500
            Predictions for each row with "permutation", about; at least one permutation and its reverse for each row of
            the background.

        Returns
        -------
        attributions : ndarray float64 of shape (n_samples, n_features) or (n_samples, n_features, n_outputs)
            The latter for more than two classes, label indicators, two-dimensional y and several quantiles. All that
            belongs to a column is summed: a number and its gaps, a date and its place in the calendar, the numbers of
            a text, a whole number that is read as a category, too. Columns that the network is not given have 0. Of an
            X of more dimensions, for a module of your own, attributions have its shape.

            * Images: an array of the shape of X, or a list of arrays of the shapes of the images.
            * Sequences: an array of the shape of X, or a list of arrays (n_channels, length_i). With `SequenceNet` all
              steps of a window share a value; a channel has at most 16 windows.
            * Texts: a list of :class:`sknn.inspection.WordContributions`: the words of each text, and their values.
            * Sounds: a list of arrays (n_mels, n_frames) in place of the spectrograms, or (length_i,) of waveforms.

            All of these have a last axis of outputs where tables have one.

        Raises
        ------
        ValueError
            X or `background` has no rows or other columns than in `fit`; `method` is unknown or not possible; or with
            "gradients", the module is not differentiable or uses category codes otherwise than in embedding layers.

        See Also
        --------
        sknn.inspection.to_shap : The same for the plots of shap.
        sknn.inspection.plot_image, sknn.inspection.plot_sequence, sknn.inspection.plot_text, sknn.inspection.plot_sound
        """
        found = self._explained(X, method=method, background=background, max_evals=max_evals)
        if isinstance(found, ExplainedParts):
            return found.values
        return found.values[..., 0] if found.has_one_output else found.values

    def _explained(self, X: Any, *, method: str, background: Any, max_evals: int) -> Explained | ExplainedParts:
        """Attributions, those of columns with an axis of outputs, and the scores that they start from."""
        X = self._check_X(X)
        inputs = self._inputs
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method={shown(method)} is unknown; expected one of {list(METHODS)}.")
        max_evals = check_size("max_evals", max_evals)
        if background is not None:
            with refused_as("background", f"{inputs.what} like X", instead_of="X"):
                background = self._check_X(background)
        net, n_columns = self.net_, vars(self)["n_features_in_"] if inputs.has_columns else 0
        fitted = Fitted(net.module_, net.criterion_, inputs, self._targets, str(net.device), n_columns)
        work = min(X.shape[0], _ROWS_OF_A_STEP) * net.multiplications
        with default_settings(), limited_threads(work, repeatable=True):
            if not inputs.has_columns:
                return explained_parts(fitted, X, background, method, max_evals)
            others = None if background is None else inputs.encode(background)
            return explained(fitted, inputs.encode(X), others, method, max_evals)


def _array(values: Sequence[Hashable]) -> np.ndarray:
    """Values as an array; of objects, unless they are of one type that numpy knows."""
    if len({type(value) for value in values}) == 1 and isinstance(values[0], str | bool | int | float):
        return np.array(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
