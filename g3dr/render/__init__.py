"""Volume rendering of tri-planes."""

from g3dr.render.decoder import PlaneDecoder
from g3dr.render.renderer import Renderer
from g3dr.render.sampling import RaySampling
from g3dr.render.table import NodeTable

__all__ = ["NodeTable", "PlaneDecoder", "RaySampling", "Renderer"]
