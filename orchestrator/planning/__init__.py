"""From an experiment to its runs: what they are, what of them is there, where they fit, how long they take and what they cost."""
