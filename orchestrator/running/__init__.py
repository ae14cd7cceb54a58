"""Carrying an experiment out: stage by stage, what is missing; and whoever looks on or steers from elsewhere."""
