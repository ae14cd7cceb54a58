"""Pictures and depth maps as files, small and seeded, for the tests of packing."""

import io

import numpy as np
from PIL import Image

from g3dr.pictures import encode_depth, encode_image


def write_pair(folder, name, size=(8, 8), seed=0, ending=".png"):
    """Writes a random picture and depth map of width x height."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng([seed, *map(ord, name)])
    width, height = size
    image = chance.integers(0, 256, (height, width, 3), dtype=np.uint8)
    (folder / f"{name}{ending}").write_bytes(file_of(Image.fromarray(image), "jpeg" if "j" in ending.lower() else "png"))
    (folder / f"{name}_depth.png").write_bytes(encode_depth(chance.uniform(4, 6, (height, width))))


def file_of(image, file_format="png", **options):
    """Returns a picture as a file of some format."""
    buffer = io.BytesIO()
    image.save(buffer, format=file_format, **options)
    return buffer.getvalue()


def smooth(width, height, seed=0):
    """Returns a picture that JPEG keeps nearly as it is, with a corner that tells which side is up."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = 255 * columns / max(1, width - 1), 255 * rows / max(1, height - 1)
    blue = np.full_like(red, 40 * (seed % 6))
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def turned(image, orientation, **options):
    """Returns a JPEG of `image` that asks its viewer to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return file_of(Image.fromarray(image), "jpeg", quality=95, subsampling=0, exif=exif, **options)


__all__ = ["encode_depth", "encode_image", "file_of", "smooth", "turned", "write_pair"]
