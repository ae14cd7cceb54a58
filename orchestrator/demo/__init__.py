"""`g3dr demo`: a page on this machine that takes a photograph and gives an object to turn and to keep."""
