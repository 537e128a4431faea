"""Objects of scikit-learn that contain estimators of sknn at any depth, written and read by skops."""
