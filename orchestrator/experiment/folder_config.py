"""What is read from pictures in a folder, in tar files or in object storage."""

from dataclasses import dataclass
from typing import Literal

from g3dr.errors import ConfigError

DepthNeed = Literal["required", "optional", "none"]
Crop = Literal["centre", "none", "pad"]
Layout = Literal["auto", "folders", "imagenet", "inaturalist"]


@dataclass(frozen=True)
class FolderConfig:
    """Photographs with depth: `<species>/<name>.jpg` beside `<name>_depth.png` (16 bit), or another of the layouts in docs/data.md.

    Attributes:
        path: A folder, a tar file, a folder or pattern of tar files (`shards/*.tar`), or `s3://bucket/prefix`.
        depth_suffix: Ending that replaces a picture's own to give its depth map.
        species: Only these class folders; null for all.
        held_out: Part of every species that is kept for the test split, where there are no `train` and `test` folders.
        seed: Decides which ones are held out, and which a subset keeps.
        resolution: Side to which pictures and depth are resized, pixels; null keeps what they have.
        depth: `required`: a picture without a depth map is left out; `optional`: it is packed without; `none`: no depth map is read.
        crop: `centre` cuts the largest square from the middle, `pad` adds white and far depth to a square, `none` keeps the shape;
            null is `centre` where there is a `resolution`, else `none`.
        depth_root: Another tree of the same shape that holds the depth maps; null where they lie beside the pictures.
        layout: How species and split follow from a path; `auto` looks at the names.
        labels: Files that name the class of pictures outside of class folders: ImageNet's validation labels, iNaturalist's JSON files.
        splits: Only these of the folders `train`, `val` and `test`; null for all.
        subset: How much of every species and split is kept: a fraction below 1, or 1 and more for so many of every species;
            null for all.
    """

    path: str
    depth_suffix: str = "_depth.png"
    species: tuple[str, ...] | None = None
    held_out: float = 0.1
    seed: int = 0
    resolution: int | None = None
    depth: DepthNeed = "required"
    crop: Crop | None = None
    depth_root: str | None = None
    layout: Layout = "auto"
    labels: tuple[str, ...] = ()
    splits: tuple[str, ...] | None = None
    subset: float | None = None

    def __post_init__(self) -> None:
        check_picking(self.held_out, self.subset, "folder")
        check_resolution(self.resolution, "folder")
        unknown = [name for name in self.splits or () if name not in {"train", "val", "test"}]
        if unknown or self.splits == ():
            raise ConfigError("folder.splits", self.splits, "one or more of train, val, test")


def check_resolution(resolution: int | None, where: str) -> None:
    """Refuses a side that no model takes.

    Raises:
        ConfigError: It is below 4.
    """
    if resolution is not None and resolution < 4:
        raise ConfigError(f"{where}.resolution", resolution, "null, or 4 or more")


def check_picking(held_out: float | None, subset: float | None, where: str) -> None:
    """Refuses parts that are no parts.

    Raises:
        ConfigError: `held_out` is not in [0, 1], or `subset` is not positive, or above 1 and not whole.
    """
    if held_out is not None and not 0 <= held_out <= 1:
        raise ConfigError(f"{where}.held_out", held_out, "between 0 and 1")
    if subset is not None and (subset <= 0 or (subset > 1 and subset % 1)):
        raise ConfigError(f"{where}.subset", subset, "null, a fraction between 0 and 1, or a whole number")
