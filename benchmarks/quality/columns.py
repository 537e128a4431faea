"""Columns in the form that each kind of peer asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

__all__ = ["NativeCategories", "Prepared", "TextCategories", "one_hot_columns"]


def _text(column: pd.Series) -> pd.Series:
    """Categories as strings, missing ones as NaN."""
    return column.astype(object).where(column.notna(), np.nan).map(str, na_action="ignore")


def _filled_text(X: pd.DataFrame) -> pd.DataFrame:
    """Categories as strings, missing ones as one of their own."""
    return X.apply(lambda column: _text(column).fillna("missing").astype(object))


class TextCategories(TransformerMixin, BaseEstimator):
    """Numbers as float64, categories as strings, a missing category as "missing".

    Parameters
    ----------
    categorical : list of str
    impute : bool, default=False
        Fill missing numbers with the medians of the training rows.
    """

    def __init__(self, categorical: list[str], impute: bool = False) -> None:
        self.categorical = categorical
        self.impute = impute

    def fit(self, X: pd.DataFrame, y: Any = None) -> TextCategories:
        """Medians."""
        # A column without any number has no median.
        self.medians_ = X.drop(columns=self.categorical).astype("float64").median().fillna(0.0)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Columns in their order."""
        numbers = X.drop(columns=self.categorical).astype("float64")
        if self.impute:
            numbers = numbers.fillna(self.medians_)
        return pd.concat([numbers, _filled_text(X[self.categorical])], axis=1)[list(X)]


class NativeCategories(TransformerMixin, BaseEstimator):
    """Numbers as float64, categories as pandas's type with the training rows' values; others are missing.

    Parameters
    ----------
    categorical : list of str
    """

    def __init__(self, categorical: list[str]) -> None:
        self.categorical = categorical

    def fit(self, X: pd.DataFrame, y: Any = None) -> NativeCategories:
        """Values of the categories."""
        self.values_ = {name: sorted(_text(X[name]).dropna().unique()) for name in self.categorical}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Columns in their order, under plain names: LightGBM and XGBoost refuse some characters in a name."""
        columns = {}
        for i, name in enumerate(X):
            if name in self.values_:
                text = _text(X[name])
                known = text.where(text.isin(self.values_[name]), np.nan)
                columns[f"f{i}"] = pd.Categorical(known, categories=self.values_[name])
            else:
                columns[f"f{i}"] = X[name].to_numpy("float64", na_value=np.nan)
        return pd.DataFrame(columns)


def one_hot_columns(categorical: list[str], numeric: list[str]) -> ColumnTransformer:
    """Medians for missing numbers, standardised; one column for each value of a category, a missing one included."""
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    numbers = make_pipeline(FunctionTransformer(lambda X: X.astype("float64")), impute, StandardScaler())
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("numbers", numbers, numeric),
            ("categories", make_pipeline(FunctionTransformer(_filled_text), encode), categorical),
        ]
    )


class Prepared:
    """An estimator behind a transformer; less demanding than a Pipeline of what the estimator is.

    Parameters
    ----------
    columns : transformer
    estimator : estimator
    """

    def __init__(self, columns: Any, estimator: Any) -> None:
        self.columns = columns
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Prepared:
        """Both."""
        self.estimator.fit(self.columns.fit_transform(X), y)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The estimator's."""
        return self.estimator.predict(self.columns.transform(X))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """The estimator's."""
        return self.estimator.predict_proba(self.columns.transform(X))
