"""Which pictures `g3dr reconstruct` is to take, and who finds what they lack."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from g3dr.errors import ConfigError
from orchestrator.cli.consoles import console

if TYPE_CHECKING:
    from orchestrator.depth.recipes import Recipe, Wishes
    from orchestrator.photographs import BackgroundModel, Completion, Photograph

LIST = "-"
Background = Literal["keep", "remove"]
Kind = Literal["disparity", "depth"]


def found_photographs(images: Sequence[str], depth: Path | None, mask: Path | None, estimator: str | None) -> "list[Photograph]":
    """Returns the photographs that are meant; a single one is read at once, to be refused before anything is loaded.

    Raises:
        ConfigError: A depth map and an estimator are both named.
        DataError: See `find_photographs`.
    """
    from orchestrator.photographs import find_photographs, names_in_list  # noqa: PLC0415

    if depth is not None and estimator is not None:
        raise ConfigError("--estimator", estimator, "nothing with --depth, which is the depth already")
    sources = [name for image in images for name in (names_in_list(sys.stdin.read()) if image == LIST else [image])]
    photographs = find_photographs(sources, depth, mask)
    if estimator is not None:
        photographs = [photograph.without_depth() for photograph in photographs]
    if len(photographs) == 1:
        photographs[0].read()
    return photographs


def completion_for(photographs: "Sequence[Photograph]", estimator: str | None, wishes: "Wishes", background: Background) -> "Completion":
    """Returns who completes photographs, and says who that is.

    Raises:
        G3drError: An estimator or background model that is needed cannot be used, or is described although none is needed.
    """
    from orchestrator.depth.recipes import DEFAULT, recipe_named  # noqa: PLC0415
    from orchestrator.photographs import Completion  # noqa: PLC0415

    bare = sum(photograph.depth is None for photograph in photographs)
    unmasked = sum(photograph.mask is None for photograph in photographs) if background == "remove" else 0
    if not bare:
        _refuse_idle(wishes)
    recipe = recipe_named(estimator or DEFAULT, wishes) if bare else None
    model = _background_model() if unmasked else None
    _announce(len(photographs), bare, recipe, unmasked, model)
    return Completion(None if recipe is None else recipe.build(None), model)


def _refuse_idle(wishes: "Wishes") -> None:
    """Refuses what describes an estimator that nobody needs."""
    for name in ("weights", "kind", "boost"):
        value = getattr(wishes, name)
        if value:
            raise ConfigError(f"--{name}", value, "nothing: every picture has its depth map; with --estimator it is estimated anew")


def _background_model() -> "BackgroundModel":
    from orchestrator.photographs.rembg_model import RembgModel  # noqa: PLC0415

    return RembgModel()


def _announce(count: int, bare: int, recipe: "Recipe | None", unmasked: int, model: "BackgroundModel | None") -> None:
    from orchestrator.depth.naming import long_name  # noqa: PLC0415

    if recipe is not None:
        console().print(f"depth: {bare} of {count} without a depth map, estimated by {long_name(recipe.identity())}", markup=False)
    if model is not None:
        console().print(f"background: {unmasked} of {count} without a mask, found by {model.name} of rembg", markup=False)
