"""Two ways to compute a run: inline, in a warm actor that serves many; distributed, with Ray Train's workers.

The process that hands out runs, Tune's actors and Train's workers each import what they need and no more: torch and ray.tune
take seconds each, on every start of every process.
"""
