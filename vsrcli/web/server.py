"""Runs the page: on 127.0.0.1 alone, until it is interrupted."""

import contextlib
import socket
from pathlib import Path

import uvicorn

from vsrcli.errors import OutputError
from vsrcli.web.app import make_app
from vsrcli.web.guard import new_token
from vsrcli.web.jobs import WebJob
from vsrcli.web.places import Root
from vsrcli.web.queue import Queue

HOST = "127.0.0.1"
GRACE = 1
"""Seconds that answers have to end: the news of the queue never do by themselves."""


class Site:
    """A page on one folder. `address` opens it, and holds a new token; `queue` holds its jobs.

    Port 0 is a free one. Raises OutputError if the port is taken.
    """

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._listening = socket.socket()
        try:
            self._listening.bind((HOST, port))
            self._listening.listen(128)
        except OSError as error:
            self._listening.close()
            raise OutputError(f"cannot listen on port {port}: {error.strerror}") from None
        self.port = self._listening.getsockname()[1]
        self.token, self.queue = new_token(), Queue(Root(folder))
        self.address = f"http://{HOST}:{self.port}/{self.token}/"
        app = make_app(self.queue, self.token, {f"{HOST}:{self.port}", f"localhost:{self.port}"})
        config = uvicorn.Config(
            app,
            log_level="critical",  # it would log cancelled answers as errors
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> list[WebJob]:
        """Serve until `stop` is called or the process is interrupted; return the jobs that are not finished."""
        try:
            with contextlib.suppress(KeyboardInterrupt):  # uvicorn passes on what it has taken
                self._server.run(sockets=[self._listening])
        finally:
            self._listening.close()
            unfinished = self.queue.close()
        return unfinished

    def stop(self) -> None:
        """Stop `run`, from another thread."""
        self._server.should_exit = True
