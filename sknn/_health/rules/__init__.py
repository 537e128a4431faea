"""What the evidence of a training run means: a file for each symptom, and their order in `diagnosis`."""
