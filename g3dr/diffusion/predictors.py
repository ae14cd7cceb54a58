"""The two kinds of network that can take noise out of latents: diffusers' U-Net [LDM] and its transformer [DiT].

Both are called with noisy latents, levels of noise and `class_labels`, and return what they predict as `sample`.
Sources: [LDM] arXiv 2112.10752; [DiT] Scalable Diffusion Models with Transformers, ICCV 2023 (arXiv 2212.09748).
"""

from typing import Any

from diffusers import DiTTransformer2DModel, UNet2DModel
from diffusers.models.resnet import ResnetBlock2D

from g3dr.diffusion.config import DenoiserConfig
from g3dr.diffusion.initialization import draw_weights, silence


def make_predictor(config: DenoiserConfig, latent_channels: int, latent_side: int) -> Any:
    """Builds the network that `config.architecture` names; one class more than `config.classes` stands for no class.

    Args:
        config: Sizes.
        latent_channels: Channels of a latent.
        latent_side: Side of a latent; a U-Net takes any, a transformer this one only.
    """
    if config.architecture == "unet":
        return _unet(config, latent_channels)
    return _transformer(config, latent_channels, latent_side)


def draw_predictor(network: Any, seed: int) -> None:
    """Draws first weights of a network of `make_predictor`: every block begins as the identity, and the prediction as 0."""
    draw_weights(network, seed)
    if isinstance(network, DiTTransformer2DModel):
        silence(network.proj_out_1, network.proj_out_2, *(block.norm1.linear for block in network.transformer_blocks))
    else:
        silence(network.conv_out, *(block.conv2 for block in network.modules() if isinstance(block, ResnetBlock2D)))


def _unet(config: DenoiserConfig, latent_channels: int) -> Any:
    attends = [level in config.attention_levels for level in range(len(config.widths))]
    return UNet2DModel(
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=tuple("AttnDownBlock2D" if one else "DownBlock2D" for one in attends),
        up_block_types=tuple("AttnUpBlock2D" if one else "UpBlock2D" for one in reversed(attends)),
        attention_head_dim=config.head_width,
        norm_num_groups=config.norm_groups,
        dropout=config.dropout,
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=len(config.classes) + 1,
    )


def _transformer(config: DenoiserConfig, latent_channels: int, latent_side: int) -> Any:
    network: Any = DiTTransformer2DModel(
        num_attention_heads=config.widths[0] // config.head_width,
        attention_head_dim=config.head_width,
        in_channels=latent_channels,
        num_layers=config.blocks,
        dropout=config.dropout,
        sample_size=latent_side,
        patch_size=1,
        num_embeds_ada_norm=len(config.classes),
    )
    for block in network.transformer_blocks:
        # It would withhold classes by torch's global chance; the learner does it by the step's own.
        block.norm1.emb.class_embedder.dropout_prob = 0.0
    return network
