"""An object store that goes away: a gate of plain TCP in front of its server."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlsplit

Absence = Literal["refused", "silent"]
_CHUNK = 2**16


class Gate:
    """Passes connections on to one server, or does not.

    Attributes:
        endpoint: Where clients connect.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._open, self._lock, self._sockets = True, threading.Lock(), set[socket.socket]()
        self._listener = _listen(0)
        self._port = self._listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self._port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Gate"]:
        """Passes connections on until the block ends."""
        self._serve()
        try:
            yield self
        finally:
            self._open = False
            _shut(self._listener)  # closing alone would leave the thread in accept(), and that would take one connection more
            self._acceptor.join()
            self._reset_all()

    def away(self, seconds: float, absence: Absence) -> None:
        """Takes the store away, and brings it back.

        Args:
            seconds: How long; with 0 only the connections that exist are reset.
            absence: `refused`: nobody listens, connections that exist are reset, as when the server restarts. `silent`: connections
                are taken and nothing ever comes back, as behind a broken switch; what is sent meanwhile is lost.
        """
        if absence == "refused":
            self._open = False
            _shut(self._listener)
            self._reset_all()
            time.sleep(seconds)
            self._listener, self._open = _listen(self._port), True
            self._serve()
        else:
            self._open = False
            time.sleep(seconds)
            self._reset_all()
            self._open = True

    def _serve(self) -> None:
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._acceptor.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._keep(client)
            if self._open:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._upstream, timeout=10)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._keep(server)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if self._open:
                    sink.sendall(data)
        if self._open:
            _shut(sink)
            with self._lock:
                self._sockets.discard(sink)

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connection)

    def _reset_all(self) -> None:
        with self._lock:
            connections, self._sockets = self._sockets, set()
        for connection in connections:
            _reset(connection)


def _listen(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=128)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _reset(connection: socket.socket) -> None:
    """Closes with a reset instead of an orderly end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
    connection.close()
