"""The recorded network for a predictor in plain numpy."""
