"""A schema registry's HTTP protocol, as far as it is asked: schemas by id, GUID and version."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class RegistryDouble:
    """What it answers with, and what it was asked."""

    url: str = ""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By path with query."""
    asked: list[str] = field(default_factory=list)
    logins: list[str | None] = field(default_factory=list)
    status: int | None = None
    """Answer everything with this."""


@contextmanager
def registry() -> Iterator[RegistryDouble]:
    double = RegistryDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            double.asked.append(self.path)
            double.logins.append(self.headers.get("Authorization"))
            answer = double.answers.get(self.path)
            if answer is None and not urlsplit(self.path).query:
                answer = double.answers.get(urlsplit(self.path).path)
            status = double.status or (200 if answer is not None else 404)
            body = json.dumps(
                answer if status == 200 else {"error_code": status * 100 + 3, "message": "no"}
            ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
