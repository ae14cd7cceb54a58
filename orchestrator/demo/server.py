"""The demo over HTTP: what `g3dr view` does to look, and photographs that come in."""

import re
import socket
from http import HTTPStatus

from g3dr.errors import ConfigError
from orchestrator.demo.site import MOST_BYTES, DemoSite, refusal
from orchestrator.viewing.server import ADDRESS, Handler, Server, on_port
from orchestrator.viewing.site import Answer

DEFAULT_PORT = 7860
PHOTOGRAPH_TYPE = "application/octet-stream"
"""What a photograph comes as. Pages of other web sites may not send this without asking first, and nobody answers that question."""

_ANY_HOST = re.compile(".*")
_ALL = "0.0.0.0"  # noqa: S104  (only where somebody asks for it)


class DemoServer(Server):
    """Serves one demo.

    Args:
        site: What it answers.
        port: Where; 0 for any that is free.
        host: The address of this machine on which it listens; any but the usual one can be reached by others.
    """

    site: DemoSite

    def __init__(self, site: DemoSite, port: int, host: str = ADDRESS) -> None:
        super().__init__(site, port, _Handler, host)
        if host != ADDRESS:
            self.hosts = _ANY_HOST  # under which name others know this machine cannot be known here

    @property
    def url(self) -> str:
        """The address of the page, as this machine reaches it."""
        return super().url.replace(f"//{_ALL}:", f"//{ADDRESS}:")


def open_demo(site: DemoSite, port: int | None = None, host: str = ADDRESS) -> DemoServer:
    """Opens a server; `serve_forever` answers, leaving its context closes it.

    Args:
        site: What it answers.
        port: Where; None for `DEFAULT_PORT`, or any free one where that is taken.
        host: See `DemoServer`.

    Raises:
        ConfigError: The host is no address of this machine, or the port cannot be had.
    """
    try:
        socket.create_server((host, 0)).close()
    except OSError as error:
        raise ConfigError("--host", host, f"an IPv4 address of this machine, such as {ADDRESS} or {_ALL} for all of them") from error
    return on_port(lambda free: DemoServer(site, free, host), port, DEFAULT_PORT)


class _Handler(Handler):
    """Answers GET, HEAD, POST and DELETE."""

    server: DemoServer
    allowed = "GET, HEAD, POST, DELETE"
    refused = "is not something that this server does"

    def do_POST(self) -> None:  # noqa: N802  (the name by which the class above looks for it)
        """Takes a photograph in."""
        self._send(self._guarded(self._taken), with_body=True)

    def do_DELETE(self) -> None:  # noqa: N802  (likewise)
        """Withdraws a photograph."""
        self._send(self._guarded(lambda: self.server.site.delete(self.path)), with_body=True)

    def _taken(self) -> Answer:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Content-Type") != PHOTOGRAPH_TYPE:
            return self._unread(refusal(f"a photograph comes as {PHOTOGRAPH_TYPE}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
        if not re.fullmatch(r"\d{1,12}", length):
            return self._unread(refusal("a photograph comes with its length", HTTPStatus.LENGTH_REQUIRED))
        if int(length) > MOST_BYTES:
            sentence = f"this file has {int(length) / 2**20:.0f} MB; allowed: photographs of at most {MOST_BYTES // 2**20} MB"
            return self._unread(refusal(sentence, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
        return self.server.site.post(self.path, self.rfile.read(int(length)))

    def _unread(self, answer: Answer) -> Answer:
        self.close_connection = True  # what follows the head is no further request
        return answer
