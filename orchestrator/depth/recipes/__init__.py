"""The estimators that a command can name; a further one is a file with its recipe, and one line here."""

from collections.abc import Mapping

from g3dr.errors import ConfigError, did_you_mean
from orchestrator.depth.recipes.files import FileRecipe
from orchestrator.depth.recipes.models import ModelRecipe
from orchestrator.depth.recipes.procedural import ProceduralRecipe
from orchestrator.depth.recipes.protocol import Recipe, Wishes
from orchestrator.shards.manifest import Manifest

__all__ = ["RECIPES", "Recipe", "Wishes", "recipe_named"]

RECIPES: Mapping[str, type[Recipe]] = {"transformers": ModelRecipe, "files": FileRecipe, "procedural": ProceduralRecipe}
"""Estimators by the name that `--estimator` takes."""


def recipe_named(name: str, wishes: Wishes, dataset: Manifest) -> Recipe:
    """Returns the prepared recipe of an estimator.

    Raises:
        ConfigError: No such estimator, or an option that it does not have.
        G3drError: See `Recipe.prepare`.
    """
    if name not in RECIPES:
        raise ConfigError("--estimator", name, ", ".join(RECIPES), did_you_mean(name, RECIPES))
    return RECIPES[name].prepare(wishes, dataset)
