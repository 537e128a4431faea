"""Prediction intervals and sets from the errors of rows that a fit held out."""
