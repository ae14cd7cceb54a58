"""What an experiment file may say, and reading it: every mistake at once, each with its path."""
