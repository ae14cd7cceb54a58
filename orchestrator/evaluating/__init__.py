"""Measuring any checkpoint by hand, for `g3dr evaluate`: which, on what data, here or in Ray tasks, and where the record goes."""
