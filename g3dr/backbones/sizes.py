"""How many channels the networks have, by their names in the configuration: known without loading them."""

from collections.abc import Mapping, Sequence

EMBEDDING_CHANNELS: Mapping[str, int] = {"clip_vit_b16": 512, "efficientnet_lite0": 1280}
STAGE_CHANNELS: Mapping[str, Sequence[int]] = {
    "lpips_vgg16": (64, 128, 256, 512, 512),
    "efficientnet_lite0": (16, 24, 40, 112, 320),
}
