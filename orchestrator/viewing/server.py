"""HTTP on 127.0.0.1: reading only, for browsers of this machine only."""

import errno
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar

from g3dr.errors import ConfigError
from orchestrator.store import Store
from orchestrator.viewing.site import Answer, Site, json_answer

logger = logging.getLogger(__name__)

ADDRESS, DEFAULT_PORT = "127.0.0.1", 8700
# A page elsewhere may point a name of its own at 127.0.0.1; its requests then carry that name. Ports differ behind a tunnel.
_OWN_HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_IDLE_SECONDS = 60
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


AnyServer = TypeVar("AnyServer", bound="Server")


class Shows(Protocol):
    """What a server needs of a site."""

    def answer(self, address: str) -> Answer:
        """Returns what an address, path and query as they came, shows."""


class Server(ThreadingHTTPServer):
    """Serves one site.

    Args:
        site: What it shows.
        port: Where; 0 for any that is free.
        handler: What answers a request; by default what only shows.
        host: The address of this machine on which it listens.
    """

    daemon_threads = True
    hosts = _OWN_HOSTS
    """Names of this machine under which it is answered."""

    def __init__(self, site: Shows, port: int, handler: "type[Handler] | None" = None, host: str = ADDRESS) -> None:
        self.site = site
        super().__init__((host, port), handler or Handler)

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://{self.server_address[0]!s}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (what the class above hands over)
        """A browser that went away in the middle is no news."""
        logger.debug("a request of %s broke off", client_address, exc_info=True)


def serve(store: Store, port: int | None = None) -> Server:
    """Opens a server for the experiments of a store; `serve_forever` answers, leaving its context closes it.

    Args:
        store: The root.
        port: Where on 127.0.0.1; None for `DEFAULT_PORT`, or any free one where that is taken.

    Raises:
        ConfigError: The port cannot be had.
    """
    site = Site(store)
    return on_port(lambda free: Server(site, free), port, DEFAULT_PORT)


def on_port(opened: Callable[[int], AnyServer], port: int | None, usual: int) -> AnyServer:
    """Opens a server where somebody wants it, or at its usual place.

    Args:
        opened: Opens it at a port; 0 for any that is free.
        port: Where it must be; None for `usual`, or any free one where that is taken.
        usual: Its usual port.

    Raises:
        ConfigError: The port cannot be had.
    """
    try:
        return opened(usual if port is None else port)
    except OSError as error:
        if port is not None:
            why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise ConfigError("--port", port, "a port that is free", f"it {why}; without --port a free one is found") from error
        return opened(0)


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; whoever answers more says so in `allowed`."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    allowed = "GET, HEAD"
    refused = "is not allowed: this server only shows"

    def do_GET(self) -> None:
        """Answers with head and body."""
        self._send(self._shown(), with_body=True)

    def do_HEAD(self) -> None:
        """Answers with the head alone."""
        self._send(self._shown(), with_body=False)

    def __getattr__(self, name: str) -> Any:
        """Finds the answer to any other method (`do_POST`): no."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        self.close_connection = True  # whatever body there is stays unread
        refusal = json_answer({"error": f"{self.command} {self.refused}"}, HTTPStatus.METHOD_NOT_ALLOWED)
        self._send(refusal, with_body=True)

    def _shown(self) -> Answer:
        return self._guarded(lambda: self.server.site.answer(self.path))

    def _guarded(self, answer: Callable[[], Answer]) -> Answer:
        """Answers those who asked for this machine by a name of its own."""
        if not self.server.hosts.fullmatch(self.headers.get("Host", "")):
            self.close_connection = True  # whatever body there is stays unread
            return json_answer({"error": "this server answers to 127.0.0.1 and localhost only"}, HTTPStatus.FORBIDDEN)
        return answer()

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.media_type, "Content-Length": str(len(answer.body)), "Cache-Control": answer.caching}
        for name, value in {**headers, "Content-Security-Policy": answer.policy, **_HEADERS}.items():
            self.send_header(name, value)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", self.allowed)
            self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)

    def version_string(self) -> str:
        """Tells browsers no more than they need."""
        return "g3dr"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the class above)
        """Goes to the log, not to the terminal."""
        logger.debug(format, *args)
