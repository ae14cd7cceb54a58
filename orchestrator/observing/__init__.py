"""What a running experiment tells Prometheus: numbers about its stages, never about single runs, through the exporter that Ray has anyway.

`catalog` says which numbers there are, `tally` makes them from the news of an experiment, `exporter` hands them to Ray, and `observing`
does that every few seconds.
"""

from orchestrator.observing.observing import Observed

__all__ = ["Observed"]
