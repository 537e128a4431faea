"""What is wrong with a training: evidence and rules. Knows torch, and of skorch's net its face only."""
