"""From a word to objects, for `g3dr generate`: which model draws, which candidates are kept, their depth, their 3D, their records.

models (ours by name, public ones) -> drawing (seeds, candidates, judge) -> objects (depth, reconstruction, files)
"""
