"""Who doubles the sides of frames: cubic interpolation, or a network by name."""

from typing import TYPE_CHECKING

from orchestrator.store import Store

if TYPE_CHECKING:
    import torch

    from g3dr.upscaling.frames import FrameUpscaler

BICUBIC = "bicubic"


def enlarger_named(name: str, root: Store, device: "torch.device") -> "FrameUpscaler":
    """Returns who enlarges frames.

    Args:
        name: `bicubic`, or a trained upscaler as `orchestrator.checkpoints.find` takes it.
        root: Where results are kept.
        device: Where a network computes.

    Raises:
        CheckpointError: There is no such network.
    """
    from g3dr.training.checkpoint import load_model  # noqa: PLC0415  (brings torch)
    from g3dr.upscaling.frames import FrameUpscaler  # noqa: PLC0415
    from g3dr.upscaling.network import Upscaler  # noqa: PLC0415
    from orchestrator.network_weights import open_network  # noqa: PLC0415

    if name == BICUBIC:
        return FrameUpscaler()
    found = open_network(name, root, "upscaler")
    network = Upscaler(found.config)  # type: ignore[arg-type]  # of this kind, as was asked for
    load_model(network, found.tensors, name)
    return FrameUpscaler(network.to(device))
