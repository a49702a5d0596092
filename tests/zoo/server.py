"""A local HTTP server for weights that can stall, truncate and send wrong data."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class WeightsServer:
    """Serves `content` at every path. Each request takes the next of `faults`; when there are none left, all is well.

    Faults: "stall" (half of the rest, then nothing), "silent" (no answer at all), "truncate" (half of the rest, then
    the connection ends), "reset" (ends before any answer), "longer" and "shorter" (Content-Length is not the body's),
    "wrong" (other bytes), "ignore-range" (200 and everything), "wrong-range" (206, but from the start), "unsized" (no
    Content-Length), or a status code.
    """

    content: bytes
    faults: list[str | int] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""
    release: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["WeightsServer"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.release.set()
            server.shutdown()
            thread.join()
            server.server_close()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                outer.requests.append((self.path, asked))
                outer.answer(self, asked, outer.faults.pop(0) if outer.faults else "")

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler, asked: str | None, fault: str | int) -> None:
        if isinstance(fault, int):
            handler.send_error(fault)
            return
        if fault == "reset":
            return
        if fault == "silent":
            self.release.wait(10)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and fault != "ignore-range" else 0
        if start and start >= len(self.content):
            handler.send_error(416)
            return
        body = self.content[start:]
        if fault == "wrong":
            body = bytes(byte ^ 0xFF for byte in body)
        length = len(body) + {"longer": 100, "shorter": -100}.get(fault, 0)
        handler.send_response(206 if start else 200)
        if start:
            first = 0 if fault == "wrong-range" else start
            handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        if fault != "unsized":
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if fault in ("stall", "truncate"):
            body = body[: len(body) // 2]
        handler.wfile.write(body)
        handler.wfile.flush()
        if fault == "stall":
            self.release.wait(10)
