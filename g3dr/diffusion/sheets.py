"""Contact sheets of what the networks make, for the report."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from g3dr.diffusion.latent_diffusion import to_pictures
from g3dr.export.pictures import Sheet, contact_sheet

_READABLE_SIDE = 96
_COLUMNS = 12

Images = Float[Tensor, "batch 3 height width"]


def _scale(side: int) -> int:
    return max(1, _READABLE_SIDE // side)


def pairs_sheet(pairs: Sequence[tuple[Images, Images]], count: int) -> Sheet:
    """Returns a sheet of the first `count` pictures of some batches above what was made of them."""
    rows = [to_pictures(torch.cat(side)[:count]) for side in zip(*pairs, strict=True)]
    return contact_sheet([list(row) for row in rows], [str(number + 1) for number in range(len(rows[0]))], _scale(rows[0].shape[1]))


def class_sheet(pictures: Mapping[str, Images], rows: int) -> Sheet:
    """Returns a sheet with a column for each of the first classes.

    Args:
        pictures: At least `rows` pictures of each class, by its name.
        rows: How many are shown of each.
    """
    columns = {name: to_pictures(images[:rows]) for name, images in list(pictures.items())[:_COLUMNS]}
    side = next(iter(columns.values())).shape[1]
    return contact_sheet([[column[row] for column in columns.values()] for row in range(rows)], list(columns), _scale(side))
