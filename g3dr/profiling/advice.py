"""What to change where the time or the memory goes."""

from dataclasses import dataclass

from g3dr.config import ModelConfig, TrainingConfig
from g3dr.profiling.steps import TrainingProfile
from g3dr.profiling.watching import DATA, LOSS, NETWORK, OPTIMIZER, RAYS, RENDERING, TABLE

_LARGE = 0.3  # of the peak: what is worth saving


@dataclass(frozen=True)
class Advice:
    """Two sentences for a person.

    Attributes:
        time: What takes most of the time, and the setting to change.
        memory: The same of the memory; empty where nothing stands out.
    """

    time: str
    memory: str


def advice(profile: TrainingProfile, model: ModelConfig, config: TrainingConfig, device: str) -> Advice:
    """Says what dominates a profile and which setting changes that."""
    shares = profile.shares()
    name = max(shares, key=lambda part: shares[part])
    return Advice(f"{name} takes {shares[name]:.0%} of the time: {_remedy(name, model, config, device)}", _less_memory(profile, config))


def _remedy(name: str, model: ModelConfig, config: TrainingConfig, device: str) -> str:
    if name == NETWORK:
        return _faster_network(model, config, device)
    if name == RENDERING:
        return _faster_rendering(model, config)
    if name.startswith(LOSS):
        return "objective.semantic_start lets it begin later, a smaller network of the term (objective.*_backbone) makes it cheaper"
    return {
        TABLE: "it depends on model.generator.resolution and training.batch_size alone, so more rays of each image cost little",
        RAYS: "fewer model.renderer samples or training.rays_per_image need less chance",
        DATA: "resources.cpus_per_worker gives reading more threads",
        OPTIMIZER: "a larger training.batch_size shares one update among more images",
    }[name]


def _faster_network(model: ModelConfig, config: TrainingConfig, device: str) -> str:
    if config.activation_checkpointing:
        return "training.activation_checkpointing=false saves computing half of it twice, if the memory is there"
    if device.startswith("cuda") and config.precision == "float32":
        return "training.precision=bfloat16 computes its convolutions in half the precision"
    fewer = "" if config.freeze == "encoder" else "; training.freeze=encoder trains only its second half when fine-tuning"
    return f"its cost grows with the square of model.generator.width, which is {model.generator.width}{fewer}"


def _faster_rendering(model: ModelConfig, config: TrainingConfig) -> str:
    side = model.generator.resolution
    if config.rays_per_image is None:
        return f"training.rays_per_image={side * side // 4} renders a quarter of the input view's rays"
    if config.novel_probability > 0 and (config.novel_resolution or side) > side // 2:
        return f"training.novel_resolution={side // 2} renders a quarter of a novel view's rays"
    return "it grows with training.rays_per_image and with the samples of model.renderer"


def _less_memory(profile: TrainingProfile, config: TrainingConfig) -> str:
    kept = max((step.parts[NETWORK].kept for step in profile.steps if NETWORK in step.parts), default=0)
    if kept < _LARGE * (profile.peak or kept + sum(profile.held.values())):
        return ""
    if not config.activation_checkpointing:
        return "for less memory: training.activation_checkpointing=true computes the U-Net's blocks again instead of keeping them"
    if profile.images // config.accumulation > 1:
        return f"for less memory: training.accumulation={2 * config.accumulation} takes half as many images at a time"
    return ""
