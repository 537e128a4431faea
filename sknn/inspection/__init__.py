"""What other packages need to show why an estimator predicts what it predicts."""

from ._shap import to_shap

__all__ = ["to_shap"]
