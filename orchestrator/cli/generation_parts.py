"""What `g3dr generate` is put together from: who draws, who judges, who makes objects, and what is said at the end."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from g3dr.errors import CheckpointError, ConfigError
from orchestrator.cli.consoles import console
from orchestrator.cli.data.words import words
from orchestrator.cli.progress import progress
from orchestrator.cli.reconstruct import open_named
from orchestrator.store import Store, open_store

if TYPE_CHECKING:
    from g3dr.depth import DepthEstimator
    from g3dr.diffusion.choosing import Judge, JudgeName
    from g3dr.diffusion.config import SamplingSettings
    from g3dr.diffusion.generator import PictureGenerator, Wish
    from g3dr.model import G3DR
    from orchestrator.depth.recipes import Wishes
    from orchestrator.generating.drawing import DrawingOptions, Drawn
    from orchestrator.generating.models import OwnModel
    from orchestrator.generating.objects import Written
    from orchestrator.reconstruction import ReconstructionOptions
    from orchestrator.shards.selection import Selection

DEFAULT_DENOISER = "diffusion/denoiser"
EVERY = "all"
PAGE = "report.html"

_MOST_LINES = 16


@dataclass(frozen=True)
class Artist:
    """Who draws.

    Attributes:
        generator: The model.
        own: Our model with what its training says; None for a public one.
    """

    generator: "PictureGenerator"
    own: "OwnModel | None" = None

    @property
    def data(self) -> str:
        """Version of the data set that it was trained on; empty where nothing tells."""
        return self.own.data if self.own else ""

    @property
    def run(self) -> str:
        """Id of its training, where that is a run of the results; else empty."""
        return self.own.run if self.own else ""

    def settled(self, settings: "SamplingSettings") -> "SamplingSettings":
        """Returns the settings with our model's own in the place of what was left to it; a public model's are not known."""
        return self.own.settled(settings) if self.own else settings

    @classmethod
    def named(cls, denoiser: str, autoencoder: str | None, pipeline: str | None, root: Store, device: str) -> "Artist":
        """Loads our model, or the public one if `pipeline` names one.

        Raises:
            CheckpointError: There is none, or it is damaged.
            WeightsMissingError: The public one is not here.
        """
        from orchestrator.generating.models import open_own, open_public  # noqa: PLC0415  (brings torch)

        if pipeline is not None:
            return cls(open_public(pipeline, device))
        try:
            own = open_own(denoiser, root, autoencoder, device)
        except CheckpointError as error:
            if denoiser != DEFAULT_DENOISER:
                raise
            advice = "to get a model run `g3dr run experiments/diffusion.yaml`, or name one with --denoiser or --pipeline"
            raise CheckpointError(f"{error}; {advice}") from error
        return cls(own.generator, own)

    def wishes(self, subject: str, negative: str, *, is_text: bool) -> "list[Wish]":
        """Returns what the model is told, one wish for each species, before anything is drawn.

        Args:
            subject: A text, or names of classes separated by commas, or `all`.
            negative: What guidance leads away from.
            is_text: Which of both it is.

        Raises:
            ConfigError: The model cannot be told this.
        """
        from g3dr.diffusion.generator import Wish, check_class  # noqa: PLC0415

        wanted, classes = self.generator.condition, self.generator.classes
        if negative and wanted != "text":
            raise ConfigError("--negative", negative, "nothing: this model knows no texts")
        if is_text:
            if wanted != "text":
                raise ConfigError("--prompt", subject, "nothing: this model knows no texts; see --species")
            return [Wish(subject, negative)]
        if wanted == "text":
            raise ConfigError("--species", subject, "nothing: this model knows texts; give one with --prompt")
        if wanted == "none" and subject == EVERY:
            return [Wish()]
        names = list(classes) if subject == EVERY else [subject] if subject in classes else words(subject)
        for name in names:
            check_class(name, classes)
        return [Wish(name) for name in names]

    def draw(self, wish: "Wish", options: "DrawingOptions", bench: "Bench", *, is_text: bool) -> "list[Drawn]":
        """Draws one wish with a progress bar."""
        from orchestrator.generating.drawing import draw  # noqa: PLC0415

        with progress("drawing" if is_text else f"drawing {wish.subject}", "steps") as advance:
            return draw(self.generator, wish, options, lambda: bench.judge(self, wish, is_text=is_text), advance)


@dataclass(frozen=True)
class Bench:
    """Who judges candidates.

    Attributes:
        name: As `--judge` takes it.
        data: Data set with real pictures; None for that of the artist's training.
        root: Where results are kept.
        device: Where it computes.
    """

    name: "JudgeName"
    data: str | None
    root: Store
    device: str

    def judge(self, artist: Artist, wish: "Wish", *, is_text: bool) -> "Judge":
        """Returns the judge.

        Raises:
            ConfigError: It needs real pictures and there are none.
            WeightsMissingError: It needs CLIP, which is not here.
        """
        from g3dr.diffusion.choosing import judge_named, needs_pictures  # noqa: PLC0415
        from orchestrator.generating.references import real_pictures  # noqa: PLC0415

        selection = None if is_text or not needs_pictures(self.name) else self._selection(artist, wish.subject)
        real = None if selection is None else real_pictures(selection, self.root, artist.generator.side, self.device)
        return judge_named(self.name, wish.subject, is_text=is_text, real=real, device=self.device)

    def _selection(self, artist: Artist, species: str) -> "Selection | None":
        from orchestrator.evaluating.data import find_selection  # noqa: PLC0415
        from orchestrator.generating.references import training_pictures  # noqa: PLC0415

        if self.data is not None:
            return find_selection(self.data, self.root, "train", (species,))
        return training_pictures(artist.data, self.root)


@dataclass(frozen=True)
class Workshop:
    """What objects are made with.

    Attributes:
        model: The 3D model.
        estimator: Who estimates depth.
        options: How objects leave the model.
        about: What records tell about it.
    """

    model: "G3DR"
    estimator: "DepthEstimator"
    options: "ReconstructionOptions"
    about: Mapping[str, Any]

    @classmethod
    def open(cls, checkpoint: str, wishes: "Wishes", estimator: str | None, *, size: int | None, frames: int) -> "Workshop":
        """Loads model and estimator, before anything is drawn.

        Raises:
            G3drError: One of them is missing, damaged, or cannot be used like this.
        """
        from orchestrator.depth.recipes import DEFAULT, recipe_named  # noqa: PLC0415
        from orchestrator.reconstruction import ReconstructionOptions  # noqa: PLC0415

        options = ReconstructionOptions(size=size, frames=frames)
        opened = open_named(checkpoint, open_store(wishes.results))
        estimates = recipe_named(estimator or DEFAULT, wishes).build(None)
        return cls(opened().to(wishes.device), estimates, options, {"checkpoint": checkpoint, "root": wishes.results})


def write(drawn: "Sequence[Drawn]", workshop: Workshop | None, out: Store, about: Mapping[str, Any]) -> "Written":
    """Writes pictures, and the objects that are made of them; see `write_objects`."""
    from orchestrator.generating.objects import Studio, write_objects  # noqa: PLC0415
    from orchestrator.reconstruction import Reconstructor  # noqa: PLC0415

    if workshop is None:
        return write_objects(drawn, None, out, about)
    with progress("reconstructing", "frames") as advance:
        studio = Studio(workshop.estimator, Reconstructor(workshop.model, workshop.options, advance, pictures=len(drawn)))
        return write_objects(drawn, studio, out, {**about, **workshop.about})


def compared_with(data: str | None, root: Store) -> "Selection | None":
    """Returns the data set that a generated set is to be compared with, before anything is drawn.

    Raises:
        DataError: There is no such data set, or it holds nothing out.
    """
    from orchestrator.evaluating.data import find_selection  # noqa: PLC0415

    return None if data is None else find_selection(data, root, "test", None)


def tell(store: Store, written: "Written", seconds: float, *, has_objects: bool) -> None:
    """Prints what was written and what was not; ends with 1 if a picture became no object."""
    out, names, lost = console(), written.names, written.lost
    failed = {one.name for one in lost}
    for name in names[:_MOST_LINES]:
        files = f"{name}.png" + (f", .glb, .ply, .mp4, .webp, {name}_sheet.png" if has_objects and name not in failed else "")
        out.print(f"{store.uri}/{name}: {files}", markup=False)
    if len(names) > _MOST_LINES:
        out.print(f"and {len(names) - _MOST_LINES} more", markup=False)
    for one in lost:
        print(f"error: {one.name}: {one.error}", file=sys.stderr)
    kind = "object" if has_objects else "picture"
    made = len(names) - len(lost)
    next_step = f"next: open {store.uri}/{PAGE} in a browser"
    out.print(f"{made} {kind}{'' if made == 1 else 's'} in {seconds:.1f} s; {next_step}", markup=False)
    if lost:
        raise typer.Exit(1)
