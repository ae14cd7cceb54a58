"""Who helps the model: a depth estimator, and perhaps a model that finds the object; both by the names that other verbs use too."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Generic, TypeVar

from g3dr.depth import DepthEstimator
from orchestrator.depth.naming import long_name
from orchestrator.depth.recipes import DEFAULT, Wishes, recipe_named
from orchestrator.photographs.background import BackgroundModel
from orchestrator.photographs.rembg_model import DEFAULT_MODEL, RembgModel, model_files

SHIPPED = "the network that comes with g3dr"

Made = TypeVar("Made")


@dataclass
class Named(Generic[Made]):
    """Something that is made when it is first needed, and then kept.

    Attributes:
        name: What people call it.
        make: Makes it, with its weights in memory.
    """

    name: str
    make: Callable[[], Made]
    _made: list[Made] = field(default_factory=list)

    def made(self) -> Made:
        """Returns it.

        Raises:
            G3drError: Something is missing for it.
        """
        if not self._made:
            self._made.append(self.make())
        return self._made[0]


@dataclass(frozen=True)
class Helpers:
    """Who helps.

    Attributes:
        depth: Estimates depth.
        background: Finds the object; None where nobody can.
    """

    depth: Named[DepthEstimator]
    background: Named[BackgroundModel] | None = None


def helpers(estimator: str | None, wishes: Wishes) -> Helpers:
    """Returns the helpers that this machine has.

    Args:
        estimator: As `--estimator` takes it; None for the one that comes along.
        wishes: What somebody says about it.

    Raises:
        G3drError: The estimator cannot be used, see `recipe_named`.
    """
    recipe = recipe_named(estimator or DEFAULT, wishes)
    is_shipped = (estimator or DEFAULT) == DEFAULT and wishes.weights is None
    depth = Named(SHIPPED if is_shipped else long_name(recipe.identity()), lambda: recipe.build(None))
    has_package = all(find_spec(package) is not None for package in ("rembg", "onnxruntime"))
    can_cut = has_package and any(file.is_file() for file in model_files(DEFAULT_MODEL))
    return Helpers(depth, Named[BackgroundModel](DEFAULT_MODEL, RembgModel) if can_cut else None)
