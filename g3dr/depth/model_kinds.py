"""What the maps of known architectures mean; nothing in their files says so in one place."""

from collections.abc import Mapping
from typing import Any, Literal

from g3dr.depth.estimator import Measure
from g3dr.errors import ConfigError

Kind = Literal["disparity", "depth"]

MEASURES: dict[Kind, Measure] = {"disparity": Measure("disparity", is_scaled=False), "depth": Measure("depth", is_scaled=True)}
"""`disparity`: relative inverse depth, as MiDaS gives it; `depth`: in metres."""

# Trained with a metric loss whatever the checkpoint: ZoeDepth [Bhat et al., 2023], GLPN [Kim et al., 2022].
_METRIC = {"zoedepth", "glpn"}


def measure_of(config: Mapping[str, Any], kind: Kind | None = None) -> Measure:
    """Returns what a model's maps mean.

    Args:
        config: The content of its `config.json`.
        kind: What the user says; None to go by the architecture.

    Raises:
        ConfigError: The architecture gives either, by checkpoint, and the user did not say.
    """
    found = kind or _known_kind(config)
    if found is None:
        reason = f"a model of type {config.get('model_type')!r} gives either, by its training, and its files do not say which"
        raise ConfigError("depth.kind", kind, "disparity or depth", reason)
    return MEASURES[found]


def _known_kind(config: Mapping[str, Any]) -> Kind | None:
    architecture = config.get("model_type")
    if architecture in _METRIC:
        return "depth"
    if architecture == "depth_anything":
        return "depth" if config.get("depth_estimation_type") == "metric" else "disparity"
    # DPT heads on DINOv2 were trained on metric data sets, those of MiDaS on relative ones.
    backbone = config.get("backbone_config") or {}
    return "disparity" if architecture == "dpt" and backbone.get("model_type") != "dinov2" else None
