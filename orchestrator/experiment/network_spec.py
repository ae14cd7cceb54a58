"""Which network of the front end a stage trains: exactly one, named by its key."""

from typing import Annotated, Any

from pydantic import Field, model_serializer, model_validator

from g3dr.depth.config import DepthNetworkConfig
from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig
from g3dr.networks import NETWORK_KINDS, NetworkConfig, NetworkKind
from g3dr.upscaling.config import UpscalerConfig
from orchestrator.experiment.data_spec import Strict
from orchestrator.experiment.problems import problem
from orchestrator.experiment.sections import Section


class NetworkSpec(Strict):
    """A network beside G3DR itself; `{}` takes every default."""

    depth: Annotated[DepthNetworkConfig, Section()] | None = Field(None, description="Monocular depth from a picture.")
    autoencoder: Annotated[AutoencoderConfig, Section()] | None = Field(None, description="Pictures to latents and back.")
    denoiser: Annotated[DenoiserConfig, Section()] | None = Field(
        None, description="Latent diffusion: makes latents of an autoencoder from noise, by class."
    )
    upscaler: Annotated[UpscalerConfig, Section()] | None = Field(None, description="Pictures of twice the size.")

    @model_validator(mode="after")
    def _one(self) -> "NetworkSpec":
        given = [kind for kind in NETWORK_KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise problem(given or {}, f"exactly one of {', '.join(NETWORK_KINDS)}")
        return self

    @model_serializer(mode="wrap")
    def _without_others(self, serialize: Any) -> dict[str, Any]:
        return {kind: value for kind, value in serialize(self).items() if value is not None}

    @property
    def kind(self) -> NetworkKind:
        """Which network it is."""
        return next(kind for kind in NETWORK_KINDS if getattr(self, kind) is not None)

    @property
    def config(self) -> NetworkConfig:
        """The network's configuration."""
        config: NetworkConfig = getattr(self, self.kind)
        return config
