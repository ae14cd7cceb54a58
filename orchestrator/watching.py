"""What a run of an experiment tells whoever watches; the CLI draws it, tests count it, the default ignores it."""

from collections.abc import Mapping


class Watch:
    """Receives news of an experiment; every method may be overridden, none must be."""

    def note(self, text: str) -> None:
        """A sentence worth showing once."""

    def stage_started(self, stage: str, kind: str, runs: int, finished: int) -> None:
        """A stage with `runs` runs begins, of which `finished` are in the ledger already."""

    def run_progress(self, label: str, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A run has done `step` of `steps` steps."""

    def run_ended(self, label: str, state: str, error: str | None) -> None:
        """A run finished, was stopped early, or failed with a sentence."""

    def stage_ended(self, stage: str, seconds: float) -> None:
        """All runs of a stage are in the ledger."""

    def task(self, description: str, done: int, total: int) -> None:
        """Progress of work outside of runs, such as packing."""
