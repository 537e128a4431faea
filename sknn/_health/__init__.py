"""What is wrong with a training run: evidence, and rules that read it. Uses the public attributes of skorch's net."""
