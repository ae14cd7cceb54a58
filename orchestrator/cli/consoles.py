"""The console that every verb prints to."""

from rich.console import Console


def console() -> Console:
    """Returns a console that draws on terminals, and prints plain lines of any length elsewhere."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=160, soft_wrap=True)
