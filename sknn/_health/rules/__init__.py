"""What the evidence of a training run means: the rules, and their order in `diagnosis`."""
