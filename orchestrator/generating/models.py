"""The model that a person wants pictures from: ours by the name of its training, a public one by folder, URI or hub name."""

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from g3dr.errors import CheckpointError
from g3dr.training.layout import INDEX, MODEL
from orchestrator.network_weights import FoundNetwork, open_network
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from g3dr.diffusion.config import SamplingSettings
    from g3dr.diffusion.generator import PictureGenerator
    from g3dr.diffusion.latent_diffusion import LatentDiffusion

_RUN_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class OwnModel:
    """A denoiser that was trained here, with what its training says about where it came from.

    Attributes:
        generator: It, with its autoencoder.
        data: Version of the data set that it was trained on; empty where nothing tells.
        run: Id of its training, where that is a run of the root; else empty.
    """

    generator: "LatentDiffusion"
    data: str
    run: str = ""

    def settled(self, settings: "SamplingSettings") -> "SamplingSettings":
        """Returns the settings with the model's own in the place of what was left to it."""
        own = self.generator.denoiser.config
        return replace(
            settings,
            steps=settings.steps or own.sampling_steps,
            guidance=settings.guidance or own.guidance,
            sampler=settings.sampler or "dpm",
        )


def open_own(name: str, root: Store, autoencoder: str | None = None, device: str = "cpu") -> OwnModel:
    """Returns a denoiser that was trained here.

    Args:
        name: A checkpoint's or run's folder or URI, or EXPERIMENT/STAGE, see `orchestrator.checkpoints.find`.
        root: Where results are kept.
        autoencoder: The same for the autoencoder; None for the one that the denoiser's run was given.
        device: Where it computes.

    Raises:
        CheckpointError: One of them is not there, damaged, or another kind of network.
    """
    from g3dr.diffusion.latent_diffusion import LatentDiffusion  # noqa: PLC0415  (brings diffusers)
    from g3dr.diffusion.loading import finished_autoencoder, finished_denoiser  # noqa: PLC0415

    found = open_network(name, root, "denoiser")
    spec = _spec_of(found)
    codes = _autoencoder(name, found, spec, root) if autoencoder is None else open_network(autoencoder, root, "autoencoder")
    about = {"denoiser": _sha256(found), "autoencoder": _sha256(codes)}
    generator = LatentDiffusion(
        finished_denoiser(found.config, found.tensors, found.uri).to(device),  # type: ignore[arg-type]  # of the kind that was asked for
        finished_autoencoder(codes.config, codes.tensors, codes.uri).to(device),  # type: ignore[arg-type]
        about,
    )
    return OwnModel(generator, str(spec.get("data", {}).get("version", "")), _run_of(found, root))


def open_public(name: str, device: str = "cpu", revision: str | None = None) -> "PictureGenerator":
    """Returns a public diffusion model in the format of the diffusers library.

    Args:
        name: Its folder, `s3://bucket/prefix` or hub name.
        device: Where it computes.
        revision: Of a hub name.

    Raises:
        WeightsMissingError: It is not there, or not whole; says what to do.
        CheckpointError: diffusers cannot load it.
    """
    from g3dr.backbones.model_folders import folder_of  # noqa: PLC0415
    from g3dr.diffusion.pipeline_folder import PIPELINE, read_pipeline  # noqa: PLC0415
    from g3dr.diffusion.pipelines import PipelineGenerator  # noqa: PLC0415
    from orchestrator.computing.model_folders import fetched_folder  # noqa: PLC0415

    folder = fetched_folder(name, PIPELINE) if "://" in name else folder_of(name, PIPELINE, revision)
    return PipelineGenerator(read_pipeline(folder), device)


def _autoencoder(name: str, denoiser: FoundNetwork, spec: dict[str, Any], root: Store) -> FoundNetwork:
    """Reads the autoencoder of a denoiser's run: another run of the same root."""
    identity = str(spec.get("autoencoder") or "")
    if not _RUN_ID.fullmatch(identity):
        known = (
            f"has the SHA-256 {identity[:12]}... and was no run of its root" if identity else "is not known, as no run's spec.json tells it"
        )
        raise CheckpointError(f"{name}: the autoencoder that it was trained with {known}; name it with --autoencoder")
    beside = open_store(_above(denoiser.uri, "/runs/"))
    return open_network(f"runs/{identity}", beside if beside.exists(f"runs/{identity}/spec.json") else root, "autoencoder")


def _spec_of(network: FoundNetwork) -> dict[str, Any]:
    """Returns the specification of the run that a checkpoint belongs to; empty if it belongs to none."""
    try:
        return dict(json.loads(open_store(_above(network.uri, "/checkpoints/")).read_bytes("spec.json")))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def _run_of(network: FoundNetwork, root: Store) -> str:
    """Returns the run of the root that a checkpoint belongs to; empty if it belongs to none of them."""
    run = _above(network.uri, "/checkpoints/").partition("?")[0].rpartition("/")[2]
    return run if _RUN_ID.fullmatch(run) and network.uri.startswith(root.child(f"runs/{run}/checkpoints").uri.partition("?")[0]) else ""


def _above(uri: str, part: str) -> str:
    """Returns what stands before the last `part` of a URI, with its options."""
    path, mark, options = uri.partition("?")
    return (path.rpartition(part)[0] or path) + mark + options


def _sha256(network: FoundNetwork) -> str:
    return str(json.loads(open_store(network.uri).read_bytes(INDEX))["sha256"][MODEL])
