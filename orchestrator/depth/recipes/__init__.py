"""The estimators that a command can name; a further one is a file with its recipe, and one line here."""

from collections.abc import Mapping

from g3dr.errors import ConfigError, did_you_mean
from orchestrator.depth.recipes.files import FileRecipe
from orchestrator.depth.recipes.models import ModelRecipe
from orchestrator.depth.recipes.network import NetworkRecipe
from orchestrator.depth.recipes.procedural import ProceduralRecipe
from orchestrator.depth.recipes.protocol import Recipe, Wishes
from orchestrator.shards.manifest import Manifest

__all__ = ["DEFAULT", "RECIPES", "Recipe", "Wishes", "recipe_named"]

RECIPES: Mapping[str, type[Recipe]] = {
    "network": NetworkRecipe,
    "transformers": ModelRecipe,
    "files": FileRecipe,
    "procedural": ProceduralRecipe,
}
"""Estimators by the name that `--estimator` takes."""

DEFAULT = "network"
"""The one that is taken where nobody names one; its weights are part of this program."""


def recipe_named(name: str, wishes: Wishes, dataset: Manifest | None = None) -> Recipe:
    """Returns the prepared recipe of an estimator.

    Args:
        name: As `--estimator` takes it.
        wishes: What somebody says about it.
        dataset: Whose pictures it will see; None for pictures of no dataset, of which some estimators know nothing.

    Raises:
        ConfigError: No such estimator, or an option that it does not have.
        G3drError: See `Recipe.prepare`.
    """
    known = [one for one, recipe in RECIPES.items() if dataset is not None or not recipe.needs_dataset]
    if name not in known:
        raise ConfigError("--estimator", name, ", ".join(known), did_you_mean(name, known))
    return RECIPES[name].prepare(wishes, dataset)
