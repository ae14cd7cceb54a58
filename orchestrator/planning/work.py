"""What decides how long a step of a run takes, and what does not: runs of equal work are timed together."""

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

from g3dr.config import LossTerm, ModelConfig, ObjectiveConfig, TrainingConfig
from g3dr.networks import NetworkConfig, network_to_json
from orchestrator.content_ids import content_id
from orchestrator.runs import RunRequest

_FREE = {
    "generator": ("resolution", "position_init", "depth_offset", "plane_gain"),
    "renderer": ("importance_window", "white_background", "initial_density"),
    "conditioning": ("prompt", "classes", "withheld"),
    "network": ("resolution", "classes"),
}
"""Settings that change numbers but not how many operations they take, and the resolution, which counts as size."""

_SIZES = ("batch_size", "rays_per_image", "novel_resolution")
_TRAINING = ("freeze", "precision", "accumulation", "activation_checkpointing", "novel_probability")


@dataclass(frozen=True)
class Work:
    """What a step costs.

    Attributes:
        id: Equal for runs whose steps take the same time on the same machine.
        family: Equal for runs that differ at most in batch, resolution, rays and workers.
        size: Pixels of input that each worker takes in a step; steps of one family take time roughly in proportion.
        images: Images of the measurement that follows the training; 0 for none.
    """

    id: str
    family: str
    size: float
    images: int


def work_of(request: RunRequest) -> Work:
    """Returns the work of a run."""
    spec, resolution = request.spec, request.spec.resolution
    training = _some(spec.training, _TRAINING)
    placed = (request.cpus_per_worker, request.gpus_per_worker, request.device)
    if spec.network is None:
        family, model = _family(spec.model, _terms(spec.objective), training, placed)
    else:
        family, model = _network_family(spec.network, training, placed)
    sizes = (*_some(spec.training, _SIZES), resolution, request.workers)
    size = spec.training.batch_size / request.workers * resolution**2
    return Work(_id((family, model, *sizes)), family, size, request.evaluation.images if request.evaluation else 0)


_id = lru_cache(maxsize=4096)(content_id)


@lru_cache(maxsize=4096)
def _family(model: ModelConfig, terms: tuple[str, ...], training: tuple[Any, ...], placed: tuple[Any, ...]) -> tuple[str, str]:
    sections = {name: {key: value for key, value in section.items() if key not in _FREE[name]} for name, section in asdict(model).items()}
    return content_id([sections, terms, training, placed]), content_id(sections)


@lru_cache(maxsize=256)
def _network_family(network: NetworkConfig, training: tuple[Any, ...], placed: tuple[Any, ...]) -> tuple[str, str]:
    shape = {name: value for name, value in network_to_json(network).items() if name not in _FREE["network"]}
    return content_id([shape, training, placed]), content_id(shape)


def _terms(objective: ObjectiveConfig) -> tuple[str, ...]:
    """The terms that are computed, each with the network that computes it."""
    members = {member.name: getattr(objective, member.name) for member in fields(objective)}
    losses = {name: value.weight for name, value in members.items() if isinstance(value, LossTerm)}
    counted = {**losses, "opacity": objective.opacity, "spread": objective.spread}
    return tuple(f"{name} {members.get(f'{name}_backbone', '')}" for name, weight in counted.items() if weight)


def _some(training: TrainingConfig, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(training, name) for name in names)
