"""Why a network predicts what it predicts: attributions of inputs, which sum to a difference of predictions."""
