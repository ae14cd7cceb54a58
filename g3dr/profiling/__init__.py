"""Where the time and the memory of a training step go: marks inside of real steps, nothing simulated."""
