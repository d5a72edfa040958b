"""Serve a folder over HTTP on this machine, byte ranges included.

    python -m examples.serve FOLDER --port 8731

Only what lies under the folder, only to this machine; enough for a demo, and no more.
"""

import argparse
import mimetypes
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class _RangeHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD; a single byte range with 206 (RFC 9110, section 14)."""

    protocol_version = "HTTP/1.1"  # keeps connections open between requests
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        path = Path(self.translate_path(self.path))  # never leaves the folder
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        size = path.stat().st_size
        start, stop = self._asked_for(size)
        if start >= stop and size:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        part = stop - start < size
        self.send_response(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK)
        if part:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Type", mimetypes.guess_type(path)[0] or "image/tiff")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns:x}-{size:x}"')
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        if with_body:
            with path.open("rb") as file:
                file.seek(start)
                self.wfile.write(file.read(stop - start))

    def _asked_for(self, size: int) -> tuple[int, int]:
        """Return the bytes asked for, half-open; all of them if no single range is."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None or asked.groups() == ("", ""):
            return 0, size
        first, last = asked.groups()
        if not first:  # the last so many bytes
            return max(0, size - int(last)), size
        return int(first), min(int(last) + 1 if last else size, size)

    def log_message(self, *_: object) -> None:
        """Say nothing: the demo has its own words."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 512  # a burst of connections is what this project opens


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve `folder` meanwhile; gives its URL. Port 0 takes any that is free."""
    with _Server(("127.0.0.1", port), partial(_RangeHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def main() -> None:
    """Serve the folder named on the command line until interrupted."""
    parser = argparse.ArgumentParser(description="Serve a folder over HTTP, with ranges.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8731)
    given = parser.parse_args()
    with serving(given.folder, given.port) as url:
        print(f"{given.folder} at {url}; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
