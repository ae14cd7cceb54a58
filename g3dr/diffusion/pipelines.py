"""Public diffusion models through the diffusers library: class-conditional (DiT), text-conditional (Stable Diffusion), or free."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
import torch

from g3dr.diffusion.config import SamplingSettings
from g3dr.diffusion.generator import Advance, Condition, Pictures, Wish, check_class
from g3dr.diffusion.pipeline_folder import PipelineFolder
from g3dr.errors import CheckpointError, ConfigError, DataError, WeightsMissingError
from g3dr.pictures import to_bytes


class PipelineGenerator:
    """A pipeline of diffusers as a maker of pictures.

    Args:
        model: What and where it is.
        device: Where it computes.

    Raises:
        WeightsMissingError: diffusers is not installed.
        CheckpointError: diffusers cannot load the files.
    """

    def __init__(self, model: PipelineFolder, device: torch.device | str = "cpu") -> None:
        self._described = model
        self._pipeline = _load(model).to(device)
        self._pipeline.set_progress_bar_config(disable=True)
        self._takes = signature(self._pipeline.__call__).parameters
        self._own_scheduler = self._pipeline.scheduler

    @property
    def condition(self) -> Condition:
        """See `PictureGenerator`."""
        if "class_labels" in self._takes:
            return "class"
        return "text" if "prompt" in self._takes else "none"

    @property
    def classes(self) -> Sequence[str]:
        """See `PictureGenerator`; numbers where the files give no names."""
        if self.condition != "class":
            return ()
        return tuple(self._labels())

    @property
    def side(self) -> int:
        """See `PictureGenerator`; what the autoencoder was trained on."""
        coder = getattr(self._pipeline, "vae", None) or getattr(self._pipeline, "vqvae", None)
        return int(coder.config.sample_size) if coder is not None else 256

    def identity(self) -> Mapping[str, Any]:
        """See `PictureGenerator`."""
        return {"name": "diffusers", "pipeline": self._described.pipeline, "weights": self._described.fingerprint}

    def generate(self, wish: Wish, seeds: Sequence[int], settings: SamplingSettings, advance: Advance) -> Pictures:
        """See `PictureGenerator`."""
        self._choose_solver(settings)
        made, steps = [], _Steps(len(seeds), advance)
        for first in range(0, len(seeds), settings.at_once):
            part = seeds[first : first + settings.at_once]
            with steps.counted(self._pipeline.scheduler, len(part)):
                made.append(self._draw(wish, part, settings))
        return np.concatenate(made)

    def _draw(self, wish: Wish, seeds: Sequence[int], settings: SamplingSettings) -> Pictures:
        wanted = {"num_inference_steps": settings.steps, "guidance_scale": settings.guidance}
        options = {name: value for name, value in wanted.items() if value is not None and name in self._takes}
        # On the CPU, so that a seed means the same on every machine.
        chance = [torch.Generator().manual_seed(seed) for seed in seeds]
        from g3dr.diffusion.sampling import quiet_solvers  # noqa: PLC0415 (brings diffusers)

        with torch.inference_mode(), quiet_solvers():
            found = self._pipeline(**self._condition(wish, len(seeds)), **options, generator=chance, output_type="np").images
        if not np.isfinite(found).all():
            raise DataError(f"{self._described.folder}: the model gave colours that are not finite numbers")
        return np.stack([to_bytes(picture) for picture in found])

    def _condition(self, wish: Wish, count: int) -> dict[str, Any]:
        """Returns what the pipeline is told of a wish.

        Raises:
            ConfigError: The wish is none for this model.
        """
        if wish.negative and "negative_prompt" not in self._takes:
            raise ConfigError("--negative", wish.negative, "nothing: this model takes no text to lead away from")
        if self.condition == "class":
            check_class(wish.subject, self.classes)
            return {"class_labels": [self._labels()[wish.subject]] * count}
        if self.condition == "text":
            negative = {"negative_prompt": [wish.negative] * count} if wish.negative else {}
            return {"prompt": [wish.subject] * count, **negative}
        if wish.subject:
            raise ConfigError("--species", wish.subject, "nothing: this model makes whatever it likes")
        return {"batch_size": count} if "batch_size" in self._takes else {}

    def _labels(self) -> dict[str, int]:
        named: dict[str, int] = dict(getattr(self._pipeline, "labels", {}))
        return named or {str(number): number for number in range(int(self._pipeline.transformer.config.num_embeds_ada_norm))}

    def _choose_solver(self, settings: SamplingSettings) -> None:
        from g3dr.diffusion.sampling import solver  # noqa: PLC0415 (brings diffusers)

        own = self._own_scheduler
        self._pipeline.scheduler = own if settings.sampler is None else solver(settings.sampler, own)


class _Steps:
    """Counts the steps of a pipeline, which has no common way to tell about them.

    Args:
        pictures: How many there will be.
        advance: Who is told.
    """

    def __init__(self, pictures: int, advance: Advance) -> None:
        self._pictures, self._advance, self._done = pictures, advance, 0

    @contextmanager
    def counted(self, scheduler: Any, pictures: int) -> Iterator[None]:
        """Lets each step of a scheduler count for so many pictures, while the context is entered."""
        step: Callable[..., Any] = scheduler.step

        @wraps(step)  # pipelines look at its parameters
        def counting(*arguments: Any, **named: Any) -> Any:
            self._done += pictures
            self._advance(self._done, self._pictures * len(scheduler.timesteps))
            return step(*arguments, **named)

        scheduler.step = counting
        try:
            yield
        finally:
            del scheduler.step


def _load(model: PipelineFolder) -> Any:
    try:
        import diffusers  # noqa: PLC0415 (slow to import, and optional)
    except ImportError as error:
        raise WeightsMissingError(
            "Diffusion models need the package diffusers, which is not installed: pip install 'g3dr-orchestrator[diffusion]'"
        ) from error
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    if not hasattr(diffusers, model.pipeline):
        raise CheckpointError(f"{model.folder}: diffusers {diffusers.__version__} has no pipeline called {model.pipeline}")
    try:
        return diffusers.DiffusionPipeline.from_pretrained(
            model.folder, use_safetensors=True, local_files_only=True, trust_remote_code=False, low_cpu_mem_usage=False
        )
    except Exception as error:  # a damaged or foreign folder raises whatever its reader meets first
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CheckpointError(f"{model.folder}: not a diffusion model that diffusers can load ({first})") from error
