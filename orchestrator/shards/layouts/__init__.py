"""How species, split and key of a picture follow from its path, and from files of labels."""

from orchestrator.shards.layouts.choosing import place_all
from orchestrator.shards.layouts.placed import Placed

__all__ = ["Placed", "place_all"]
