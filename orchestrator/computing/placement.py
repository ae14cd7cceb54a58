"""Where a worker stands."""

from dataclasses import dataclass

import torch

from g3dr.config import DeviceChoice
from g3dr.errors import ConfigError
from g3dr.training.devices import choose_device
from g3dr.training.optimization import Place, Wrap, unwrapped


@dataclass(frozen=True)
class Placement:
    """Where a worker stands.

    Attributes:
        rank: Number of the worker.
        world_size: Workers that share the run.
        cpus: CPU threads it may use.
        gpus: GPUs it has.
        device: Where Ray Train wants it to compute; empty where it has no say.
        wrap: Makes a module distributed.
    """

    rank: int = 0
    world_size: int = 1
    cpus: float = 1
    gpus: float = 0
    device: str = ""
    wrap: Wrap = unwrapped

    def place(self, device: torch.device) -> Place:
        """Returns what the training has to know of it.

        Args:
            device: Where it computes; see `torch_device`.
        """
        return Place(device, self.rank, self.world_size, self.wrap)

    def torch_device(self, choice: DeviceChoice = "auto") -> torch.device:
        """Returns the device to compute on.

        Raises:
            ConfigError: It is not there, or Ray Train has put this worker elsewhere.
        """
        if not self.device:
            return choose_device(choice, float(self.gpus))
        given = torch.device(self.device)
        if choice not in ("auto", given.type):
            raise ConfigError("resources.device", choice, f"auto or {given.type} where several workers share a run with these resources")
        return given
