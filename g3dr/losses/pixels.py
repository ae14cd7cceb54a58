"""Terms that need no network: smooth depth, pooled colours, a filled box."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from g3dr.config import LossForm
from g3dr.errors import DataError
from g3dr.losses.forms import compare


def total_variation(depth: Float[Tensor, "batch 1 height width"], form: LossForm = "l2") -> Float[Tensor, ""]:
    """Compares every pixel of a depth map with its lower and with its right neighbour; the two directions add up.

    With `l2` this is the mean squared difference of vertical plus that of horizontal neighbours [G3DR, section 3.3].
    `cosine` compares the map with itself moved by one pixel; on depths of 4 to 6 it hardly differs from 0.

    Args:
        depth: Distance along the ray, world units.
        form: How neighbours are compared.

    Raises:
        DataError: The map is smaller than 2 x 2 pixels.
    """
    if min(depth.shape[-2:]) < 2:
        raise DataError(f"Total variation needs depth maps of at least 2 x 2 pixels, got {depth.shape[-2]} x {depth.shape[-1]}.")
    vertical = compare(form, depth[..., 1:, :], depth[..., :-1, :])
    horizontal = compare(form, depth[..., :, 1:], depth[..., :, :-1])
    return vertical + horizontal


def pooled_rgb(
    prediction: Float[Tensor, "batch 3 height width"],
    target: Float[Tensor, "batch 3 target_height target_width"],
    size: int,
    form: LossForm = "l1",
) -> Float[Tensor, ""]:
    """Compares coarse colours: both pictures are average-pooled to `size` x `size` first.

    A novel view and the input agree only roughly, so this stands in for an image embedding where there is none.
    The two may differ in resolution.
    """
    return compare(form, functional.adaptive_avg_pool2d(prediction, size), functional.adaptive_avg_pool2d(target, size))


def ray_rgb(colors: Float[Tensor, "batch ray point 3"], target: Float[Tensor, "batch ray 3"], form: LossForm = "l1") -> Float[Tensor, ""]:
    """Compares the colours at points of each ray with the colour of the ray's pixel, whether the points are seen or not.

    The rendered colour fixes only the mean along a ray, so layers of fog may differ in colour and show as coloured bands from
    elsewhere. One colour per ray is the plainest guess for what a picture does not show.
    """
    return compare(form, colors, target[:, :, None].expand_as(colors))


def opacity_loss(opacity: Float[Tensor, "batch *rest"]) -> Float[Tensor, ""]:
    """Returns the mean light that passes through the box, `mean(1 - opacity)`: 0 when every ray ends inside it."""
    return (1 - opacity).mean()
