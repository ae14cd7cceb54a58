"""Encoded examples: what a dataset holds before anything is decoded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EncodedView:
    """The truth of one object from another camera.

    Attributes:
        yaw: Camera yaw, radians; pi / 2 is the input view.
        pitch: Camera pitch, radians; pi / 2 is the input view.
        image: RGB picture file.
        depth: 16-bit depth PNG; distances outside [4, 6) are clipped.
        masks: PNG of bit flags: 1 foreground, 2 in the box, 4 covisible.
    """

    yaw: float
    pitch: float
    image: bytes
    depth: bytes
    masks: bytes


@dataclass(frozen=True)
class RgbdExample:
    """One picture, with its depth where that is known.

    Attributes:
        key: Unique name in the dataset, such as `<species>/<name>`.
        species: Its species or class.
        split: `train` or `test`.
        image: RGB picture file: JPEG, PNG, WebP.
        depth: 16-bit depth PNG of the same size; None where nobody has estimated it yet.
        views: The truth from other cameras; empty where nobody knows it.
    """

    key: str
    species: str
    split: str
    image: bytes
    depth: bytes | None
    views: tuple[EncodedView, ...] = ()
