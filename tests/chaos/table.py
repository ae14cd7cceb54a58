"""The figures of a campaign, for people."""

from collections import Counter

from chaos.laboratory import Measured


def table(alone: Measured, disturbed: Measured, problems: list[str]) -> str:
    """Returns the figures as lines."""
    kinds = Counter(injection.fault for injection, _ in disturbed.journal.injected)
    rows = [
        ("", "left alone", "under faults"),
        ("faults that hit", "0", str(len(disturbed.journal.injected))),
        *((f"  {kind}", "", str(number)) for kind, number in sorted(kinds.items())),
        ("faults without a victim", "", str(len(disturbed.journal.missed))),
        *_of_both(alone, disturbed),
    ]
    lines = [f"{name:36}{one:>14}{other:>14}" for name, one, other in rows]
    return "\n".join([*lines, *(f"PROBLEM: {problem}" for problem in problems), "no problem" if not problems else ""]).rstrip()


def _of_both(*both: Measured) -> list[tuple[str, str, str]]:
    counts = [one.counts for one in both]
    return [
        ("runs finished", *(str(sum(state == "finished" for state, _ in one.outcome.states.values())) for one in both)),
        ("steps of the experiment", *(str(one.progress) for one in counts)),
        ("steps computed again", *(f"{one.repeated} ({one.repeated_share:.2%})" for one in counts)),
        ("checkpoints written", *(str(len(one.checkpoint_seconds)) for one in counts)),
        ("time in checkpoints", *(f"{one.checkpoint_share:.2%}" for one in counts)),
        ("seconds in steps", *(f"{one.step_seconds:.0f}" for one in counts)),
        ("starts of a run", *(str(one.starts.total()) for one in counts)),
        ("starts of the orchestrator", *(str(one.starts) for one in both)),
        ("seconds on the clock", *(f"{one.journal.seconds:.0f}" for one in both)),
        ("left on the cluster", *(str(sum(map(len, one.left.values()))) for one in both)),
    ]
