"""What is read from a folder of photographs."""

from dataclasses import dataclass

from g3dr.errors import ConfigError


@dataclass(frozen=True)
class FolderConfig:
    """Photographs with depth in a folder: `<species>/<name>.jpg` beside `<name>_depth.png` (16 bit).

    Attributes:
        path: The folder; it holds one folder per species, or `train` and `test` folders of them.
        depth_suffix: Ending that replaces a picture's own to give its depth map.
        species: Only these class folders; null for all.
        held_out: Part of every species that is kept for the test split, where there are no `train` and `test` folders.
        seed: Decides which ones are held out.
        resolution: Side to which pictures and depth are cropped and resized, pixels; null keeps what they have.
    """

    path: str
    depth_suffix: str = "_depth.png"
    species: tuple[str, ...] | None = None
    held_out: float = 0.1
    seed: int = 0
    resolution: int | None = None

    def __post_init__(self) -> None:
        if self.resolution is not None and self.resolution < 4:
            raise ConfigError("folder.resolution", self.resolution, "null, or 4 or more")
        if not 0 <= self.held_out <= 1:
            raise ConfigError("folder.held_out", self.held_out, "between 0 and 1")
