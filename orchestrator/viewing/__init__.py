"""`g3dr view`: a small web server on this machine that shows what the store holds, and changes nothing."""

from orchestrator.viewing.server import DEFAULT_PORT, Server, serve
from orchestrator.viewing.site import Answer, Site

__all__ = ["DEFAULT_PORT", "Answer", "Server", "Site", "serve"]
