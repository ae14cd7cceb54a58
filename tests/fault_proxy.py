"""An HTTP proxy on 127.0.0.1 that does to its clients what networks and object stores do on a bad day, at seeded places."""

import contextlib
import hashlib
import http.client
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal[
    "latency",  # answers late
    "slow_down",  # 503, never reaches the server
    "internal_error",  # 500, likewise
    "reset",  # connection reset, likewise
    "lost_answer",  # the server does it, and the client never hears of it
    "reset_in_body",  # reset after half of the body
    "truncated",  # half of the body, then an orderly end although the header promised more
    "stalled",  # half of the body, then silence
    "silent",  # the server does it, then silence
]
PASSING: tuple[Fault, ...] = (
    "latency",
    "slow_down",
    "internal_error",
    "reset",
    "lost_answer",
    "reset_in_body",
    "truncated",
    "stalled",
    "silent",
)
_LATENCY_SECONDS = 0.02
_SILENCE_SECONDS = 30.0
_ERROR = (
    "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>F0</RequestId></Error>"
)


@dataclass(frozen=True)
class Answer:
    """What the proxy says instead of the server."""

    status: int
    code: str
    message: str = "injected"
    headers: dict[str, str] = field(default_factory=dict)
    more: str = ""

    def body(self) -> bytes:
        return _ERROR.format(code=self.code, message=self.message, more=self.more).encode()


ANSWERS = {"slow_down": Answer(503, "SlowDown", "Please reduce your request rate."), "internal_error": Answer(500, "InternalError")}


@dataclass
class FaultPlan:
    """Which requests go wrong: a function of the seed, the request and how often it was made, whichever thread comes first.

    Attributes:
        seed: Another seed, other places.
        rate: Part of the requests that get a fault.
        kinds: Faults to choose from.
        consecutive: The same request is let through after so many faults in a row.
    """

    seed: int = 0
    rate: float = 0.0
    kinds: tuple[Fault, ...] = PASSING
    consecutive: int = 3

    def fault(self, request: str, seen: int) -> Fault | None:
        # Names that differ from one run of the tests to the next are left out.
        lasting = re.sub(r"uploadId=[^& ]*|[0-9a-f]{8,}", "", request)
        digest = hashlib.sha256(f"{self.seed}/{lasting}/{seen}".encode()).digest()
        if int.from_bytes(digest[:8], "big") / 2**64 >= self.rate:
            return None
        return self.kinds[int.from_bytes(digest[8:16], "big") % len(self.kinds)]


class FaultProxy:
    """A running proxy in front of one server.

    Attributes:
        endpoint: Where clients connect.
        plan: Seeded faults; replace it between two parts of a test.
        next: Faults or answers for the next requests, before the plan is asked; None lets one through.
        requests: Lines such as `PUT /bucket/key`, in the order of arrival.
        injected: How often each fault was injected.
        signers: Key id that signed each request; empty for none.
        regions: Region for which it was signed.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def clear(self) -> None:
        """Forgets all that was and lets everything through."""
        with self.lock:
            self.plan = FaultPlan()
            self.next: list[Fault | Answer | None] = []
            self.requests: list[str] = []
            self.signers: list[str] = []
            self.regions: list[str] = []
            self.injected: Counter[str] = Counter()
            self._seen: Counter[str] = Counter()
            self._in_a_row: Counter[str] = Counter()

    @property
    def environment(self) -> dict[str, str]:
        """What sends clients here, with little patience: a silence costs half a second."""
        waits = {"G3DR_STORE_READ_SECONDS": "0.5", "G3DR_STORE_BACKOFF_SECONDS": "0.02"}
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_MAX_ATTEMPTS": "12", **waits}

    @contextlib.contextmanager
    def running(self) -> Iterator["FaultProxy"]:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends it: whoever connects from now on is refused."""
        if not self.ended.is_set():
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()

    def choose(self, line: str, headers: Mapping[str, str]) -> Fault | Answer | None:
        """Notes a request and returns what to do to it."""
        request = f"{line} {headers.get('Range', '')}"
        scope = (headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0] + "//").split("/")
        with self.lock:
            self.requests.append(line)
            self.signers.append(scope[0])
            self.regions.append(scope[2])
            seen = self._seen[request]
            self._seen[request] += 1
            planned = self.plan.fault(request, seen) if self._in_a_row[request] < self.plan.consecutive else None
            chosen = self.next.pop(0) if self.next else planned
            self._in_a_row[request] = 0 if chosen is None else self._in_a_row[request] + 1
            if chosen is not None:
                self.injected[chosen.code if isinstance(chosen, Answer) else chosen] += 1
        return chosen


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *args):
        """Says nothing."""

    def handle(self):
        with contextlib.suppress(OSError):  # clients that went away
            super().handle()

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self):
        body = self._body()
        fault = self.proxy.choose(f"{self.command} {self.path}", self.headers)
        fault = ANSWERS.get(fault, fault) if isinstance(fault, str) else fault
        if isinstance(fault, Answer):
            self._send(fault.status, {"Content-Type": "application/xml", **fault.headers}, fault.body())
        elif fault == "reset" or self.proxy.ended.is_set():
            self._reset()
        else:
            self._pass_on(body, fault)

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _pass_on(self, body, fault):
        status, headers, answer = self._ask(body)
        if fault == "latency":
            time.sleep(_LATENCY_SECONDS)
        if fault in (None, "latency"):
            self._send(status, headers, answer)
        elif fault == "lost_answer":
            self._reset()
        elif fault == "silent":
            self._be_silent()
        else:
            self._break_off(status, headers, answer, fault)

    def _ask(self, body):
        connection = http.client.HTTPConnection(self.proxy.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("expect", "connection", "transfer-encoding")}
        headers["Content-Length"] = str(len(body))
        try:
            connection.request(self.command, self.path, body, {**headers, "Connection": "close"})
            answer = connection.getresponse()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("connection", "transfer-encoding", "date", "server")
            }
            return answer.status, kept, answer.read()
        finally:
            connection.close()

    def _send(self, status, headers, body, count=None):
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
        length = headers.get("Content-Length", len(body)) if self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:count])
        self.wfile.flush()

    def _break_off(self, status, headers, body, fault):
        """Sends half; where there is no body to cut, nothing of the answer arrives."""
        if self.command == "HEAD" or len(body) < 2:
            self._be_silent() if fault == "stalled" else self._reset()
            return
        self._send(status, headers, body, len(body) // 2)
        if fault == "stalled":
            self._be_silent()
        elif fault == "reset_in_body":
            self._reset()
        self.close_connection = True

    def _be_silent(self):
        """Until the client gives up, or the proxy ends."""
        self.connection.settimeout(0.05)
        deadline = time.monotonic() + _SILENCE_SECONDS
        while time.monotonic() < deadline and not self.proxy.ended.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
        self.close_connection = True

    def _reset(self):
        """Closes with a reset instead of an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.rfile.close()  # it holds the socket open
        self.connection.close()
