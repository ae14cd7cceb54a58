"""The metrics of one object by name: its input view, and its other views where their truth is known."""

import torch
from torch import Tensor

from g3dr.backbones import StageBackbone
from g3dr.losses.semantic import stages_distance
from g3dr.metrics import Mean, SimilarityTo, depth_l2_normalized, depth_rmse, flatness, psnr, ssim
from g3dr.metrics.naming import perceptual_key
from g3dr.types import Batch, Frames, NovelTruth

Values = dict[str, float]


def canonical_values(frames: Frames, batch: Batch) -> Values:
    """Compares the rendered input view with the input image and depth."""
    values = {
        "canonical_psnr": psnr(frames.rgb, batch.images),
        "canonical_ssim": ssim(frames.rgb, batch.images),
        "depth_rmse": depth_rmse(frames.depth, batch.depths),
        "depth_l2_normalized": depth_l2_normalized(frames.depth, batch.depths),
        "nfs": flatness(frames.depth),
        "nfs_truth": flatness(batch.depths),
    }
    return {name: float(value) for name, value in values.items()}


def perceptual_values(
    network: StageBackbone, shown: Tensor, image: Tensor, made: Tensor | None = None, true: Tensor | None = None
) -> Values:
    """Compares pictures as a network sees them: `g3dr.metrics.perceptual_distance`, with one look at each.

    Args:
        network: The network, which takes longer than rendering.
        shown: The input view, rendered; one picture.
        image: The input image.
        made: Other views, rendered; None where their truth is not known.
        true: Their truth.
    """
    made, true = (image[:0] if views is None else views.to(image.device) for views in (made, true))
    count, key = len(made), perceptual_key(network.name)
    stages = network.stage_features(torch.cat([shown.clamp(-1, 1), image, made.clamp(-1, 1), true]))

    def distance(one: slice, other: slice) -> float:
        pairs = [(stage[one].expand_as(stage[other]), stage[other]) for stage in stages]
        return float(stages_distance("l2", [pair[0] for pair in pairs], [pair[1] for pair in pairs]).double().mean())

    values = {f"canonical_{key}": distance(slice(0, 1), slice(1, 2))}
    if count:
        truth = slice(2 + count, None)
        values |= {f"novel_{key}": distance(slice(2, 2 + count), truth), f"copy_input_{key}": distance(slice(1, 2), truth)}
    return values


def novel_values(frames: Frames, batch: Batch, truth: NovelTruth) -> Values:
    """Averages over the other views of one object; a mask that is empty in a view leaves that view out.

    `copy_input` is the input image shown in place of every view, the answer that any model must beat.

    Args:
        frames: The other views, rendered.
        batch: The input image and its depth.
        truth: What they are compared with.
    """
    views, device = len(truth.yaw), frames.rgb.device
    rgb, depth = truth.rgb.to(device), truth.depth.to(device)
    covisible, in_box, foreground = (mask.to(device) for mask in (truth.covisible, truth.in_box, truth.foreground))
    copied = {"novel": frames.rgb, "copy_input": batch.images}
    values, similarity = dict[str, Tensor](), SimilarityTo(rgb)
    for who, picture in copied.items():
        for where, mask in (("", covisible), ("_in_box", in_box), ("_foreground", foreground)):
            values[f"{who}_psnr{where}"] = psnr(picture, rgb, mask)
        values[f"{who}_ssim"] = similarity.of(picture, covisible)
    values["novel_depth_rmse"] = depth_rmse(frames.depth, depth, in_box)
    values["copy_input_depth_rmse"] = depth_rmse(batch.depths.expand(views, -1, -1, -1), depth, in_box)
    known = {name: Mean.of(value).value for name, value in values.items()}
    return {name: value for name, value in known.items() if value is not None}
