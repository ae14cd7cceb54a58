"""Text of bounded size: its beginning, its end, and one line between that says how much is left out."""

from collections import deque

HEAD_BYTES = 256 * 2**10
TAIL_BYTES = 768 * 2**10
LINE_BYTES = 16 * 2**10


class BoundedText:
    """Takes lines without end and keeps the first and the last of them; adding one takes the same short time always.

    Args:
        head: Bytes that are kept of the beginning.
        tail: Bytes that are kept of the end.
        line: Bytes that are kept of a single line.
    """

    def __init__(self, head: int = HEAD_BYTES, tail: int = TAIL_BYTES, line: int = LINE_BYTES) -> None:
        self._limits = (head, tail, line)
        self._head, self._tail = list[bytes](), deque[bytes]()
        self._head_bytes = self._tail_bytes = 0
        self._head_is_full = False
        self.lost_lines = self.lost_bytes = 0
        self.added = 0

    def add(self, line: str) -> None:
        """Adds a line, without its end."""
        head, tail, _ = self._limits
        data = self._cut(line.encode(errors="replace")) + b"\n"
        self.added += 1
        if not self._head_is_full and self._head_bytes + len(data) <= head:
            self._head.append(data)
            self._head_bytes += len(data)
            return
        self._head_is_full = True
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes > tail:
            lost = self._tail.popleft()
            self._tail_bytes -= len(lost)
            self.lost_lines += 1
            self.lost_bytes += len(lost)

    def _cut(self, data: bytes) -> bytes:
        limit = self._limits[2]
        return data if len(data) <= limit else data[:limit] + f" ... {len(data) - limit:,} bytes of this line left out".encode()

    def to_bytes(self) -> bytes:
        """Returns what is kept, as UTF-8."""
        gap = f"... {self.lost_lines:,} lines ({self.lost_bytes:,} bytes) left out here ...\n".encode() if self.lost_lines else b""
        return b"".join((*self._head, gap, *self._tail))
