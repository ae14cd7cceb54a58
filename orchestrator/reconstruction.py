"""From pictures to files that people can hold: meshes, videos, contact sheets; one folder a picture."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from g3dr.cameras import FOV_DEGREES, fov_of_blocks, frontal_pose
from g3dr.errors import ConfigError, DataError, G3drError
from g3dr.export.cutout import Cutout
from g3dr.export.mesh import Mesh, colored
from g3dr.export.mesh_files import glb, ply
from g3dr.export.orbit import orbit, to_bytes
from g3dr.export.pictures import contact_sheet, depth_picture
from g3dr.export.solid import SolidOptions, solid_volume
from g3dr.export.surface import extract_surface, simplified
from g3dr.export.video import animation, gif, video
from g3dr.export.workers import workers
from g3dr.model import G3DR
from g3dr.pictures import encode_image
from g3dr.render import NodeTable
from g3dr.types import Frames
from g3dr.upscaling.config import FACTOR
from g3dr.upscaling.frames import Enlarger
from g3dr.views import render_poses
from orchestrator.depth.source import mapping_identity
from orchestrator.photographs import Background, Completion, Photograph, RgbdPicture, completed
from orchestrator.store import Store

RECORD = "reconstruction.json"
SMALLEST_SIDE, LARGEST_SIDE = 16, 2048
SECONDS_OF_VIDEO = 6.0  # for players that do not repeat
LOSSLESS_SIDE = 64
OUTLINE_PIXELS = 1.5  # of the model, across which an outline is blurred

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReconstructionOptions:
    """How an object leaves the model.

    Attributes:
        size: Side of the pictures and frames, pixels; rays are continuous, so it may exceed the planes'. None for the
            model's resolution, at least 128.
        frames: Frames of one round of the orbit; a multiple of 4 shows its corners.
        fps: Frames per second.
        gif: Write the video as a GIF too.
        solid: What becomes the mesh.
        tolerance: How far simplification may move the surface, world units; None for all triangles of marching cubes.
        background: `remove` leaves the object alone in frames too, where a mask says what it is; meshes are always cut with a mask.
    """

    size: int | None = None
    frames: int = 24
    fps: float = 12.0
    gif: bool = False
    solid: SolidOptions = field(default_factory=SolidOptions)
    tolerance: float | None = None
    background: Background = "keep"

    def __post_init__(self) -> None:
        for name, good, allowed in (
            ("size", self.size is None or SMALLEST_SIDE <= self.size <= LARGEST_SIDE, f"{SMALLEST_SIDE} to {LARGEST_SIDE} pixels"),
            ("frames", 1 <= self.frames <= 1000, "1 to 1000"),
            ("fps", 0 < self.fps <= 120, "more than 0, at most 120"),
            ("background", self.background in ("keep", "remove"), "keep or remove"),
            ("tolerance", self.tolerance is None or self.tolerance > 0, "more than 0 world units (the box has a side of 2)"),
        ):
            if not good:
                raise ConfigError(name, getattr(self, name), allowed)


def _import_writers() -> None:
    """Imports what writes videos and colours depth: half a second that a worker spends while another one renders."""
    import av  # noqa: F401, PLC0415
    import matplotlib.colors  # noqa: F401, PLC0415


class Reconstructor:
    """Turns pictures into the contents of files.

    Args:
        model: In evaluation mode; its device is where it renders.
        options: How objects leave it.
        progress: Called with frames done and frames in all, over all pictures.
        pictures: How many there will be.
        enlarger: Doubles the sides of frames, which are rendered at half the size then; None to render them at the whole.
    """

    def __init__(
        self, model: G3DR, options: ReconstructionOptions, progress: Progress, pictures: int = 1, enlarger: Enlarger | None = None
    ) -> None:
        self.model, self.options, self._progress = model, options, progress
        self.device = next(model.parameters()).device
        self.size = options.size or max(128, model.config.generator.resolution)
        self._pictures, self._done = pictures, 0
        self._enlarger = enlarger
        if enlarger is not None and self.size % FACTOR:
            raise ConfigError("size", self.size, f"a multiple of {FACTOR} where frames are enlarged")

    def _advance(self, frames: int) -> None:
        self._done += frames
        self._progress(self._done, self._pictures * self.options.frames)

    def files(self, name: str, picture: RgbdPicture) -> dict[str, bytes]:
        """Returns file contents by name.

        Args:
            name: Begins the names.
            picture: What to reconstruct.

        Raises:
            DataError: The model sees nothing solid in it.
        """
        before = self._done
        self._advance(0)
        try:
            with workers(self.device) as pool:
                return self._files(name, picture, self._encode(picture), pool)
        finally:
            self._advance(before + self.options.frames - self._done)

    def _files(self, name: str, picture: RgbdPicture, table: NodeTable, pool: Executor) -> dict[str, bytes]:
        """Cuts the mesh while frames are rendered, and encodes the films beside each other."""
        view = pool.submit(render_poses, self.model, table, *frontal_pose(1), self.size)
        meshes = pool.submit(lambda: self._mesh_files(name, table, picture, view.result()))
        pool.submit(_import_writers)
        cutout = self._cutout(picture)
        film = self._film(table, cutout, pool)
        films = {f"{name}.{ending}": pool.submit(encode, film) for ending, encode in self._encoders(len(film)).items()}
        pictures = self._picture_files(name, picture, view.result() if cutout is None else cutout(view.result(), *frontal_pose(1)), film)
        return {**meshes.result(), **{file: film.result() for file, film in films.items()}, **pictures}

    def _cutout(self, picture: RgbdPicture) -> Cutout | None:
        mask = picture.mask_at(self.size) if self.options.background == "remove" else None
        return None if mask is None else Cutout(torch.from_numpy(mask.astype(np.float32)))

    def _film(self, table: NodeTable, cutout: Cutout | None, pool: Executor) -> NDArray[np.uint8]:
        """Renders the frames, and enlarges them if they are rendered at half the size."""
        enlarger = self._enlarger
        side = self.size if enlarger is None else self.size // FACTOR
        fov = FOV_DEGREES if enlarger is None else fov_of_blocks(side, FACTOR)
        film = orbit(self.model, table, self.options.frames, side, lambda: self._advance(1), each=pool.map, fov_degrees=fov, cutout=cutout)
        return film if enlarger is None else np.stack(list(pool.map(enlarger, film)))

    def _encoders(self, frames: int) -> dict[str, Callable[[NDArray[np.uint8]], bytes]]:
        fps = self.options.fps
        rounds = max(1, round(SECONDS_OF_VIDEO * fps / frames))
        encoders = {
            "mp4": lambda film: video(film, fps, rounds),
            "webp": lambda film: animation(film, fps, lossless=self.size <= LOSSLESS_SIDE),
            "gif": lambda film: gif(film, fps),
        }
        return encoders if self.options.gif else {ending: encode for ending, encode in encoders.items() if ending != "gif"}

    def _encode(self, picture: RgbdPicture) -> NodeTable:
        resolution = self.model.config.generator.resolution
        image = torch.from_numpy(picture.image_at(resolution).copy()).permute(2, 0, 1)[None] / 127.5 - 1
        depth = torch.from_numpy(picture.depth_at(resolution).copy())[None, None]
        # Inference mode transforms filters and keeps them, which pays from the second picture on.
        with torch.inference_mode() if self._pictures > 1 else torch.no_grad():
            return self.model.encode(image.to(self.device), depth.to(self.device))

    def _mesh_files(self, name: str, table: NodeTable, picture: RgbdPicture, view: Frames) -> dict[str, bytes]:
        mesh = self._mesh(table, picture, view)
        return {f"{name}.glb": glb(mesh), f"{name}.ply": ply(mesh)}

    @torch.inference_mode()
    def _mesh(self, table: NodeTable, picture: RgbdPicture, view: Frames) -> Mesh:
        def values(points: torch.Tensor) -> torch.Tensor:
            return self.model.values_at(table, points[None].to(self.device))[0]

        solid = self.options.solid
        seen = solid.solid == "seen"
        mask = picture.mask_at(solid.resolution) if seen else None
        blur = round(OUTLINE_PIXELS * solid.resolution / self.model.config.generator.resolution)
        surface = extract_surface(solid_volume(values, solid, mask, blur), solid.region)
        if self.options.tolerance is not None:
            surface = simplified(surface, self.options.tolerance)
        return colored(surface, view, None if seen else values)

    def _picture_files(self, name: str, picture: RgbdPicture, view: Frames, film: NDArray[np.uint8]) -> dict[str, bytes]:
        depth, shown = picture.depth_at(self.size), view.depth[0, 0].cpu().numpy()
        near, far = float(depth.min()), float(max(depth.max(), depth.min() + 1e-3))
        distances = depth_picture(shown, near, far)
        columns = {
            "input": picture.image_at(self.size),
            f"depth by {picture.depth_from}" if picture.depth_from else "its depth": depth_picture(depth, near, far),
            "reconstruction": to_bytes(view.rgb)[0],
            "its depth ": distances,
            "from the left": film[3 * len(film) // 4],
            "from the right": film[len(film) // 4],
        }
        sheet = contact_sheet([list(columns.values())], [label.strip() for label in columns])
        return {f"{name}_sheet.png": encode_image(sheet), f"{name}_distances.png": encode_image(distances)}


@dataclass(frozen=True)
class Failure:
    """A picture that could not be reconstructed, and why."""

    photograph: Photograph
    error: G3drError


def reconstruct_all(
    reconstructor: Reconstructor, photographs: Sequence[Photograph], completion: Completion, out: Store, about: Mapping[str, Any]
) -> tuple[list[str], list[Failure]]:
    """Writes the files of each picture into its folder of `out`; one that fails does not stop the others.

    Args:
        reconstructor: Made for as many pictures.
        photographs: The pictures.
        completion: Who finds the depth that they lack.
        out: Where the folders go; each file appears whole or not at all.
        about: What the record of each tells about all of them.

    Returns:
        The names of the folders, and what failed.
    """
    names, failures = [], []
    for photograph, picture in completed(photographs, completion):
        try:
            if isinstance(picture, DataError):
                raise picture
            record = {**about, **_origin(photograph, picture, completion)}
            _reconstruct_one(reconstructor, photograph.name, picture, out, record)
            names.append(photograph.name)
        except G3drError as error:
            failures.append(Failure(photograph, error))
    return names, failures


def _origin(photograph: Photograph, picture: RgbdPicture, completion: Completion) -> dict[str, Any]:
    """Returns where a picture, its depth and its mask are from, for the record."""
    estimator = completion.estimator if picture.depth_from else None
    estimated = None if estimator is None else {"estimator": estimator.identity(), "mapping": mapping_identity()}
    return {
        "picture": str(photograph.picture),
        "depth": estimated or str(photograph.depth),
        "mask": {"model": picture.mask_from} if picture.mask_from else photograph.mask and str(photograph.mask),
    }


def _reconstruct_one(reconstructor: Reconstructor, name: str, picture: RgbdPicture, out: Store, about: Mapping[str, Any]) -> None:
    start, folder = time.monotonic(), out.child(name)
    files = reconstructor.files(name, picture)
    check_free(folder, files)
    for file, data in files.items():
        folder.write_bytes(file, data)
    record = {
        **about,
        "options": {**asdict(reconstructor.options), "size": reconstructor.size},
        "files": {file: len(data) for file, data in files.items()},
        "seconds": round(time.monotonic() - start, 2),
    }
    folder.write_bytes(RECORD, json.dumps(record, indent=1).encode())


def check_free(folder: Store, names: Mapping[str, object]) -> None:
    """Makes sure that only files of an earlier reconstruction are replaced.

    Raises:
        DataError: A file of one of these names is there, and no record says that it was written here.
    """
    if folder.exists(RECORD):
        return
    for name in names:
        if folder.exists(name):
            raise DataError(f"{folder.uri}/{name}: there is a file already that no earlier reconstruction wrote; choose another folder")
