"""What the evidence of a training run means: one rule for each symptom."""
