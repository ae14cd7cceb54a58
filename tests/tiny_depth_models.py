"""Depth models of a few thousand weights, drawn at random and written as the hub would give them."""

import json

import torch


def write_depth_anything(folder, seed=0, **changes):
    """Depth Anything V2's architecture: a DINOv2 backbone, sides that are multiples of 14, relative disparity."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessor

    backbone = Dinov2Config(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    sizes = {"reassemble_hidden_size": 16, "neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8, "head_hidden_size": 8}
    config = DepthAnythingConfig(backbone_config=backbone, **sizes, **changes)
    processor = DPTImageProcessor(size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True)
    return _write(DepthAnythingForDepthEstimation, config, processor, folder, seed)


def write_dpt(folder, seed=0):
    """MiDaS 3.0's architecture: a ViT, every picture squeezed to one square, relative disparity."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
    )
    return _write(DPTForDepthEstimation, config, DPTImageProcessor(size={"height": 32, "width": 32}), folder, seed)


def write_glpn(folder, seed=0):
    """GLPN: a SegFormer, metric depth."""
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessor

    config = GLPNConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8)
    return _write(GLPNForDepthEstimation, config, GLPNImageProcessor(), folder, seed)


def write_zoedepth(folder, seed=0):
    """ZoeDepth: a BEiT, padding around the picture, metric depth."""
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation, ZoeDepthImageProcessor

    backbone = BeitConfig(
        image_size=64,
        patch_size=16,
        num_hidden_layers=4,
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
        use_relative_position_bias=True,
    )
    config = ZoeDepthConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        num_relative_features=8,
        bin_embedding_dim=8,
        num_attractors=[4, 4, 4, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )
    processor = ZoeDepthImageProcessor(size={"height": 64, "width": 64}, ensure_multiple_of=16)
    return _write(ZoeDepthForDepthEstimation, config, processor, folder, seed)


def _write(kind, config, processor, folder, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind(config).eval()
        for weights in network.parameters():
            if weights.ndim > 1:
                # As transformers draws them they would be so small that every picture gave nearly the same map.
                torch.nn.init.normal_(weights, std=weights[0].numel() ** -0.5)
        network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def change(folder, **values):
    """Changes entries of a model's configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
