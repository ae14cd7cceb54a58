"""Submits experiments as Ray jobs over HTTP: what travels, how secrets do, one job for one experiment, and following it."""
