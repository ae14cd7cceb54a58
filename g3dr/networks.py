"""The networks of the front end that can be trained: their kinds, their configurations, and who teaches them.

Nothing here imports torch before a learner is built, so that experiment files are read without it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, get_args

from g3dr.config import TrainingConfig
from g3dr.depth.config import DepthNetworkConfig
from g3dr.diffusion.config import AutoencoderConfig, DenoiserConfig
from g3dr.errors import CheckpointError, ConfigError
from g3dr.training.recorded_config import plain, recorded
from g3dr.upscaling.config import UpscalerConfig

if TYPE_CHECKING:
    from torch import nn

    from g3dr.training.learning import Learner

NetworkKind = Literal["depth", "autoencoder", "denoiser", "upscaler"]
NetworkConfig = DepthNetworkConfig | AutoencoderConfig | DenoiserConfig | UpscalerConfig

CONFIGS: Mapping[NetworkKind, type[NetworkConfig]] = {
    "depth": DepthNetworkConfig,
    "autoencoder": AutoencoderConfig,
    "denoiser": DenoiserConfig,
    "upscaler": UpscalerConfig,
}
NETWORK_KINDS: tuple[NetworkKind, ...] = get_args(NetworkKind)


def kind_of(config: NetworkConfig) -> NetworkKind:
    """Returns the kind of network that a configuration describes."""
    return next(kind for kind, known in CONFIGS.items() if isinstance(config, known))


def network_to_json(config: NetworkConfig) -> dict[str, Any]:
    """Returns `kind` and the configuration's fields, as JSON knows them."""
    return {"kind": kind_of(config), **plain(asdict(config))}


def network_from_json(record: Mapping[str, Any], where: str) -> NetworkConfig:
    """Reads what `network_to_json` wrote; what an older version did not know takes its default.

    Raises:
        CheckpointError: A kind or a setting that this version does not know, or a value that it does not allow.
    """
    kind = next((known for known in CONFIGS if known == record.get("kind")), None)
    if kind is None:
        raise CheckpointError(f"{where}: holds a network of kind {record.get('kind')!r}; this version knows {', '.join(CONFIGS)}")
    fields = {name: value for name, value in record.items() if name != "kind"}
    config: NetworkConfig = recorded(CONFIGS[kind], fields, kind, where)
    return config


def make_learner(config: NetworkConfig, training: TrainingConfig, autoencoder: "nn.Module | None" = None) -> "Learner":
    """Builds the learner of a network, without weights yet.

    Args:
        config: Which network.
        training: The training's settings.
        autoencoder: In whose latent space a denoiser works; None for the others.

    Raises:
        ConfigError: A denoiser without an autoencoder.
    """
    if isinstance(config, DepthNetworkConfig):
        from g3dr.depth.learning import DepthLearner  # noqa: PLC0415  (brings torch, as all of these)

        return DepthLearner(config, training)
    if isinstance(config, AutoencoderConfig):
        from g3dr.diffusion.autoencoder_learning import AutoencoderLearner  # noqa: PLC0415

        return AutoencoderLearner(config, training)
    if isinstance(config, UpscalerConfig):
        from g3dr.upscaling.learning import UpscalerLearner  # noqa: PLC0415

        return UpscalerLearner(config, training)
    from g3dr.diffusion.autoencoder import Autoencoder  # noqa: PLC0415
    from g3dr.diffusion.denoiser_learning import DenoiserLearner  # noqa: PLC0415

    if not isinstance(autoencoder, Autoencoder):
        raise ConfigError("autoencoder", None, "a trained autoencoder, in whose latent space the denoiser works")
    return DenoiserLearner(config, training, autoencoder=autoencoder)
