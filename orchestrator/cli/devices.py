"""The `--device` of verbs that compute in their own process."""

from typing import TYPE_CHECKING

from g3dr.errors import ConfigError

if TYPE_CHECKING:
    import torch


def device_named(word: str) -> "torch.device":
    """Returns the device that `--device` names.

    Raises:
        ConfigError: There is no such word, or no such device here.
    """
    from g3dr.training.devices import choose_device  # noqa: PLC0415  (brings torch)

    if word not in ("auto", "cpu", "cuda", "mps"):
        raise ConfigError("--device", word, "auto, cpu, cuda or mps")
    return choose_device(word)  # type: ignore[arg-type]  # one of the words, as was just checked
