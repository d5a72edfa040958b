"""An HTTP server that takes uploads and answers them as a test has written down."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Script:
    url: str
    answers: dict[str, deque[Answer]]
    """By method; the last one is given again and again."""
    asked: list[Asked]


@contextmanager
def scripted_server(**answers: list[Answer]) -> Iterator[Script]:
    """Run a server that gives `answers`, by method and in order."""
    asked: list[Asked] = []
    waiting = {method: deque(listed) for method, listed in answers.items()}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Asked(method=self.command, target=self.path, headers=headers))
            listed = waiting[self.command]
            given = listed.popleft() if len(listed) > 1 else listed[0]
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value.replace("{url}", url))
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield Script(url=url, answers=waiting, asked=asked)
        running.shutdown()
        thread.join(10)
