"""Pictures that a person wants to reconstruct: found by file, folder, pattern or list, each with its depth and perhaps a mask.

A depth map or mask that lies beside a picture is used as it is; what is missing comes from an estimator or a background model.
"""

from orchestrator.photographs.background import Background, BackgroundModel
from orchestrator.photographs.completing import Completion, completed, estimated
from orchestrator.photographs.finding import Photograph, find_photographs, names_in_list
from orchestrator.photographs.picture import OpenedPhotograph, RgbdPicture

__all__ = [
    "Background",
    "BackgroundModel",
    "Completion",
    "OpenedPhotograph",
    "Photograph",
    "RgbdPicture",
    "completed",
    "estimated",
    "find_photographs",
    "names_in_list",
]
