"""Export to a file of weights and a predictor that needs numpy only."""
