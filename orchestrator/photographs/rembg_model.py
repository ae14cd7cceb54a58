"""Masks from the models of the optional package rembg."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dr.backbones.finding import ALLOW_DOWNLOAD, downloads_allowed
from g3dr.errors import DataError, WeightsMissingError
from orchestrator.photographs.reading import OBJECT_PART

DEFAULT_MODEL = "u2net"

_HELP = "or put a mask beside each picture as NAME_mask.png"


class RembgModel:
    """A model of rembg, in memory.

    Args:
        name: As rembg calls it.

    Raises:
        WeightsMissingError: The package or the model's file is not here.
    """

    def __init__(self, name: str = DEFAULT_MODEL) -> None:
        self.name = name
        self._rembg = _package()
        _check_file(name)
        self._session = self._rembg.new_session(name)

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """See `BackgroundModel`."""
        found: NDArray[np.bool_] = np.asarray(self._rembg.remove(image, session=self._session, only_mask=True)) >= OBJECT_PART
        if not found.any():
            raise DataError(f"the background model {self.name} sees no object in the picture; {_HELP}")
        return found


def _package() -> Any:
    try:
        import onnxruntime  # noqa: F401, PLC0415  (without it the next line ends the process)
        import rembg  # noqa: PLC0415  (slow to import, and optional)
    except ImportError as error:
        raise WeightsMissingError(
            f"Removing backgrounds needs the package rembg, which is not installed: pip install 'g3dr-orchestrator[background]', {_HELP}"
        ) from error
    return rembg


def model_files(name: str) -> tuple[Path, Path]:
    """Returns where rembg looks for the file of a model: newer versions in a folder of its own first, all versions in one folder."""
    data = os.environ.get("XDG_DATA_HOME")
    everywhere = os.environ.get("U2NET_HOME") or f"{data or '~'}/.u2net"
    home = os.environ.get("U2NET_HOME") or os.environ.get("REMBG_HOME") or (f"{data}/rembg" if data else "~/.rembg")
    return Path(home).expanduser() / "models" / name / f"{name}.onnx", Path(everywhere).expanduser() / f"{name}.onnx"


def _check_file(name: str) -> None:
    files = model_files(name)
    if not any(file.is_file() for file in files) and not downloads_allowed():
        raise WeightsMissingError(
            f"The background model {name} is not on this machine: fetch {name}.onnx from the releases of rembg and put it to {files[-1]}, "
            f"set {ALLOW_DOWNLOAD}=1 to let rembg fetch it, {_HELP}"
        )
