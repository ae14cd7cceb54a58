"""What leaves the method as files for people: pictures, contact sheets, animations and meshes."""

from g3dr.export.pictures import contact_sheet, depth_picture, enlarge, save_png
from g3dr.export.video import animation, film_strip, gif, video

__all__ = ["animation", "contact_sheet", "depth_picture", "enlarge", "film_strip", "gif", "save_png", "video"]
