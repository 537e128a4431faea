"""Objects of scikit-learn around estimators of sknn, by skops."""
