"""The generator: a U-Net from an image with its depth to tri-planes."""

from g3dr.unet.generator import TriplaneUNet

__all__ = ["TriplaneUNet"]
