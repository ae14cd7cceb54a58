"""One training step, its schedules, its chance and its state.

Nothing is imported here, so that programs that only look at checkpoint names need not load torch.
"""
