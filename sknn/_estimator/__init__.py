"""Parameters, fit and predict: what classifier and regressor share."""
