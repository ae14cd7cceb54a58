"""HTTP on 127.0.0.1: reading only, for browsers of this machine only."""

import errno
import logging
import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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


class Server(ThreadingHTTPServer):
    """Serves one site.

    Args:
        site: What it shows.
        port: Where on 127.0.0.1; 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        super().__init__((ADDRESS, port), _Handler)

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://{ADDRESS}:{self.server_port}/"

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
    try:
        return Server(site, DEFAULT_PORT if port is None else port)
    except OSError as error:
        if port is not None:
            why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
            raise ConfigError("--port", port, "a port that is free", f"it {why}; without --port a free one is found") from error
        return Server(site, 0)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        """Answers with head and body."""
        self._send(self._answer(), with_body=True)

    def do_HEAD(self) -> None:
        """Answers with the head alone."""
        self._send(self._answer(), with_body=False)

    def __getattr__(self, name: str) -> Any:
        """Finds the answer to any other method (`do_POST`): no."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        self.close_connection = True  # whatever body there is stays unread
        refusal = json_answer({"error": f"{self.command} is not allowed: this server only shows"}, HTTPStatus.METHOD_NOT_ALLOWED)
        self._send(refusal, with_body=True)

    def _answer(self) -> Answer:
        if not _OWN_HOSTS.fullmatch(self.headers.get("Host", "")):
            return json_answer({"error": "this server answers to 127.0.0.1 and localhost only"}, HTTPStatus.FORBIDDEN)
        return self.server.site.answer(self.path)

    def _send(self, answer: Answer, *, with_body: bool) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.media_type, "Content-Length": str(len(answer.body)), "Cache-Control": answer.caching}
        for name, value in {**headers, "Content-Security-Policy": answer.policy, **_HEADERS}.items():
            self.send_header(name, value)
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
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
