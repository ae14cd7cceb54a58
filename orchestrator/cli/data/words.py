"""What the verbs of `g3dr data` share: lists on the command line, and numbers with their nouns."""

from g3dr.errors import ConfigError


def words(text: str) -> tuple[str, ...]:
    """Splits a list at its commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Splits a list of numbers at its commas.

    Raises:
        ConfigError: Something else than numbers; names `option`.
    """
    try:
        return tuple(int(word) for word in words(text))
    except ValueError as error:
        raise ConfigError(option, text, "numbers separated by commas, such as 0,1") from error


def plural(count: int, singular: str, several: str | None = None) -> str:
    """Returns a number with its noun: `1 shard`, `2 shards`."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"
