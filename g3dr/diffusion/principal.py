"""A fixed linear autoencoder: the principal components of squares of pixels, from which networks can begin."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_LEAST_DEVIATION = 1e-3


class PrincipalSquares(nn.Module):
    """Squares of pixels to a few numbers and back, linearly; says nothing until it is fitted.

    A component is divided by the root of its deviation: half-way between components as they are, of which the first drowns the
    others in what a denoiser is told to get right, and components of one deviation, which give noise the same say as shapes.

    Args:
        side: Side of a square, pixels.
        components: How many numbers a square becomes.

    Attributes:
        centre: The mean square.
        analysis: Rows that give the numbers of a square without its mean.
        synthesis: Columns that give a square from its numbers.
    """

    centre: Tensor
    analysis: Tensor
    synthesis: Tensor

    def __init__(self, side: int, components: int) -> None:
        super().__init__()
        self._side, colours = side, 3 * side**2
        self.register_buffer("centre", torch.zeros(colours))
        self.register_buffer("analysis", torch.zeros(components, colours))
        self.register_buffer("synthesis", torch.zeros(colours, components))

    @property
    def is_fitted(self) -> bool:
        """Whether it says anything."""
        return bool(self.analysis.any())

    def fit(self, batches: Iterable[Float[Tensor, "_batch 3 height width"]]) -> None:
        """Takes the components of all squares of some pictures; nothing changes without pictures."""
        count, total, products = 0, torch.zeros_like(self.centre.double()), torch.zeros_like(self.analysis.T @ self.analysis).double()
        for images in batches:
            squares = functional.pixel_unshuffle(images, self._side).transpose(0, 1).flatten(1).double()
            count, total, products = count + squares.shape[1], total + squares.sum(dim=1), products + squares @ squares.T
        if count:
            self._take(total / count, products / count)

    def _take(self, mean: Tensor, moments: Tensor) -> None:
        variances, directions = torch.linalg.eigh((moments - torch.outer(mean, mean)).cpu())
        kept = directions.flip(1)[:, : len(self.analysis)]
        # Eigenvectors have no sign of their own: the largest entry decides, so that every machine takes the same.
        signs = kept.gather(0, kept.abs().argmax(dim=0, keepdim=True)).sign()
        roots = variances.flip(0)[: len(self.analysis)].clamp(min=_LEAST_DEVIATION**2).pow(0.25)
        self.centre.copy_(mean)
        self.analysis.copy_((kept * signs / roots).T)
        self.synthesis.copy_(kept * signs * roots)

    def encode(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch latent latent_height latent_width"]:
        """Returns the numbers of every square."""
        centred = functional.pixel_unshuffle(images, self._side) - self.centre[:, None, None]
        return torch.einsum("lc,bchw->blhw", self.analysis, centred)

    def decode(self, latents: Float[Tensor, "batch latent latent_height latent_width"]) -> Float[Tensor, "batch 3 height width"]:
        """Returns the squares that have these numbers."""
        squares = torch.einsum("cl,blhw->bchw", self.synthesis, latents) + self.centre[:, None, None]
        return functional.pixel_shuffle(squares, self._side)
