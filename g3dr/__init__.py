"""G3DR, plain PyTorch: one image and its depth in, tri-planes, views and objects out.

This package is the method. It imports neither ray nor any object storage; `orchestrator` brings those.
"""

__version__ = "0.1.0"
