"""Adds depth maps to datasets that have none: a source of rows for the packer, whose rows went past a depth estimator."""
