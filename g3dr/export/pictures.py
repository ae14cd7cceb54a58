"""Pictures for people: depth in colour, labelled contact sheets, PNG files.

Everything here is uint8 RGB, rows first. Depth is the distance along the ray in world units.
"""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from g3dr.errors import DataError

Picture = UInt8[np.ndarray, "height width 3"]
Sheet = UInt8[np.ndarray, "sheet_height sheet_width 3"]

_GAP = 4
_PAPER = (255, 255, 255)
_INK = (40, 44, 52)


@cache
def _color_map() -> UInt8[np.ndarray, "256 3"]:
    # Imported here: matplotlib takes half a second, and most users of this package never colour a depth map.
    from matplotlib import colormaps  # noqa: PLC0415

    return np.round(colormaps["magma"](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)


def depth_picture(depth: Float[np.ndarray, "height width"], near: float, far: float) -> Picture:
    """Colours a depth map with a perceptually uniform map, near bright and far dark.

    Args:
        depth: Distance along the ray, world units; NaN and infinity count as far.
        near: Distance shown as the brightest colour, world units.
        far: Distance shown as the darkest colour, world units.

    Raises:
        DataError: `near` is not smaller than `far`.
    """
    if not near < far:
        raise DataError(f"a depth picture from {near} to {far} has no range: near must be smaller than far")
    closeness = np.nan_to_num((far - depth) / (far - near), nan=0.0, posinf=0.0, neginf=0.0).clip(0, 1)
    return _color_map()[np.round(closeness * 255).astype(np.uint8)]


def enlarge(picture: Picture, scale: int) -> Sheet:
    """Repeats every pixel `scale` times in both directions, so that small pictures stay as they are, only bigger."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def contact_sheet(rows: Sequence[Sequence[Picture]], labels: Sequence[str], scale: int = 1) -> Sheet:
    """Lays pictures out in a grid with a label above each column.

    Args:
        rows: Pictures, all of one size; every row has as many as there are labels.
        labels: One label a column.
        scale: Integer enlargement of every picture.

    Raises:
        DataError: No rows, rows of different lengths, or pictures of different sizes.
    """
    _check_grid(rows, labels)
    height, width = (side * scale for side in rows[0][0].shape[:2])
    header = max(14, height // 8)
    sheet = Image.new("RGB", (len(labels) * (width + _GAP) + _GAP, len(rows) * (height + _GAP) + _GAP + header), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(labels):
        left = _GAP + column * (width + _GAP)
        draw.text((left + width // 2, header // 2 + 1), label, fill=_INK, anchor="mm", font=_fitting_font(label, width, header))
        for row, pictures in enumerate(rows):
            sheet.paste(Image.fromarray(enlarge(pictures[column], scale)), (left, header + _GAP + row * (height + _GAP)))
    return np.asarray(sheet)


def _check_grid(rows: Sequence[Sequence[Picture]], labels: Sequence[str]) -> None:
    if not rows or not labels:
        raise DataError("a contact sheet needs at least one row and one label")
    if any(len(row) != len(labels) for row in rows):
        raise DataError(
            f"a contact sheet with {len(labels)} labels needs {len(labels)} pictures in every row, got {[len(row) for row in rows]}"
        )
    shapes = {picture.shape for row in rows for picture in row}
    if len(shapes) > 1:
        raise DataError(f"a contact sheet needs pictures of one size, got {sorted(shapes)}")


def _fitting_font(label: str, width: int, header: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for size in range(max(8, int(header * 0.7)), 7, -1):
        font = ImageFont.load_default(size)
        if font.getlength(label) <= width:
            return font
    return ImageFont.load_default(8)


def encode_picture(picture: UInt8[np.ndarray, "height width 3"], lossless_side: int = 64) -> tuple[bytes, str]:
    """Returns a small file and its media type: PNG up to `lossless_side` pixels a side, WebP of high quality above."""
    buffer = BytesIO()
    if min(picture.shape[:2]) <= lossless_side:
        Image.fromarray(picture).save(buffer, "PNG", optimize=True)
        return buffer.getvalue(), "image/png"
    Image.fromarray(picture).save(buffer, "WEBP", quality=90, method=4)
    return buffer.getvalue(), "image/webp"


def save_png(picture: Picture, path: Path) -> None:
    """Writes a PNG; the folder above is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, "PNG", optimize=True)
