"""When a page was written."""

from datetime import UTC, datetime


def now() -> str:
    """Returns the time for people, in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
