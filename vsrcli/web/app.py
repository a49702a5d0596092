"""The requests of the page and their answers, as a Starlette application."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from vsrcli import __version__
from vsrcli.compare.page import SLIDER_SCRIPT, SLIDER_STYLE
from vsrcli.errors import InputError, UsageError, VsrError
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.options import Options
from vsrcli.web.asked import models, options_from, told
from vsrcli.web.folders import in_place, videos_of
from vsrcli.web.guard import Guard
from vsrcli.web.places import OutsideError
from vsrcli.web.queue import Queue
from vsrcli.web.uploads import receive

EVERY = 0.25
"""Seconds between looks at the queue for what is new."""
BEATS = 60
"""Looks without news after which a line is sent, so that a browser that has gone is noticed."""
LARGEST_REQUEST = 100_000
"""Bytes of a request but for uploads."""
_TYPES = {
    "page.html": "text/html",
    "style.css": "text/css",
    "page.js": "text/javascript",
    "views.js": "text/javascript",
}
Handler = Callable[[Request], Awaitable[Response]]


def make_app(queue: Queue, token: str, hosts: Collection[str]) -> ASGIApp:
    """Return the application for one queue and its root, behind the guard."""
    pages = Pages(queue)
    answers: list[tuple[str, str, Handler]] = [
        ("GET", "/", pages.file),
        ("GET", "/about", pages.about),
        ("GET", "/list", pages.listing),
        ("GET", "/info", pages.info),
        ("PUT", "/upload", pages.upload),
        ("POST", "/trials", pages.attempt),
        ("POST", "/trials/{number:int}/stop", pages.stop_trial),
        ("GET", "/trials/{number:int}/{picture:int}.jpg", pages.picture),
        ("POST", "/jobs", pages.add),
        ("POST", "/jobs/all", pages.add_all),
        ("POST", "/jobs/{number:int}/{action}", pages.act),
        ("GET", "/jobs/{number:int}/result", pages.result),
        ("GET", "/events", pages.events),
        ("GET", "/{name}", pages.file),
    ]
    app = Starlette(routes=[Route(path, _safely(handler), methods=[method]) for method, path, handler in answers])
    return Guard(app, token, hosts)


class RefusedError(Exception):
    """A request that cannot be answered, with a line for the page and the status of HTTP."""

    def __init__(self, line: str, status: int = 400) -> None:
        super().__init__(line)
        self.status = status


def _safely(handler: Handler) -> Handler:
    """Return a handler whose failures are answers in one line."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OutsideError:
            return JSONResponse({"error": "no such place below the folder of this page"}, 403)
        except RefusedError as error:
            return JSONResponse({"error": str(error)}, error.status)
        except VsrError as error:
            return JSONResponse({"error": told(error)}, 400)
        except OSError as error:
            return JSONResponse({"error": error.strerror or str(error)}, 404)

    return answer


class Pages:
    """The answers, for one queue."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._root = queue, queue.root

    async def file(self, request: Request) -> Response:
        """Answer with one of the page's own files."""
        name = request.path_params.get("name", "page.html")
        if name == "slider.css":
            return Response(SLIDER_STYLE, media_type="text/css")
        if name == "slider.js":
            return Response(SLIDER_SCRIPT, media_type="text/javascript")
        if name not in _TYPES:
            raise RefusedError("no such page", 404)
        text = resources.files("vsrcli.web").joinpath(name).read_text("utf-8")
        return Response(text, media_type=_TYPES[name])

    async def about(self, request: Request) -> Response:
        """Answer with what does not change: the root's name, vsr's version, the models whose weights are here."""
        found = await asyncio.to_thread(models)
        return JSONResponse({"root": self._root.folder.name or "/", "version": __version__, "models": found})

    async def listing(self, request: Request) -> Response:
        """Answer with what lies in a folder."""
        folder = self._root.path(request.query_params.get("path", ""))
        if not folder.is_dir():
            raise RefusedError("no such folder", 404)
        entries = await asyncio.to_thread(lambda: list(self._root.entries(folder)))
        return JSONResponse({"path": self._root.written(folder), "entries": entries})

    async def info(self, request: Request) -> Response:
        """Answer with what vsr sees in a source."""
        source = self._source(request.query_params.get("path", ""))
        found = await asyncio.to_thread(probe, source)
        return JSONResponse(
            {
                "path": self._root.written(source),
                "width": found.width,
                "height": found.height,
                "rate": float(found.rate),
                "frames": found.frames,
                "seconds": found.duration,
                "codec": found.codec,
                "interlaced": found.interlaced,
                "images": len(found.images),
                "sounds": sum(stream.kind == "audio" for stream in found.streams),
            }
        )

    async def upload(self, request: Request) -> Response:
        """Take a file, as the request's body, into the folder of uploads."""
        target = self._root.for_upload(request.query_params.get("name", ""))
        length = request.headers.get("content-length", "")
        try:
            await receive(request.stream(), target, int(length) if length.isdecimal() else None)
        except ClientDisconnect:
            return Response(status_code=499)
        return JSONResponse({"path": self._root.written(target)}, 201)

    async def attempt(self, request: Request) -> Response:
        """Begin a trial."""
        asked = await self._asked(request)
        names = asked.get("models", [])
        if not isinstance(names, list) or len(names) > 8:
            raise RefusedError("the models are a list of up to 8")
        for name in names:
            options_from({"model": name})
        wanted = (*([None] if asked.get("picked") or not names else []), *names)
        trial = self._queue.attempt(self._source(asked.get("path")), wanted, self._options(asked))
        return JSONResponse({"number": trial.number}, 201)

    async def stop_trial(self, request: Request) -> Response:
        """Cancel a trial."""
        if trial := self._queue.trial(request.path_params["number"]):
            trial.cancel.set()
        return Response(status_code=204)

    async def picture(self, request: Request) -> Response:
        """Answer with a picture of a trial."""
        trial, which = self._queue.trial(request.path_params["number"]), request.path_params["picture"]
        if trial is None or which >= len(trial.pictures):
            raise RefusedError("no such picture", 404)
        return Response(trial.pictures[which], media_type="image/jpeg", headers={"Cache-Control": "private"})

    async def add(self, request: Request) -> Response:
        """Put a job into the queue."""
        asked = await self._asked(request)
        source = self._source(asked.get("path"))
        job = self._queue.add(source, self._options(asked), in_place(source, self._place(asked)))
        return JSONResponse({"number": job.number}, 201)

    async def add_all(self, request: Request) -> Response:
        """Put a job for each video of a folder into the queue; those that wait there already are left out."""
        asked = await self._asked(request)
        written = asked.get("path")
        folder = self._root.path(written) if isinstance(written, str) else None
        if folder is None or not folder.is_dir():
            raise RefusedError("no such folder", 404)
        options, place, recursive = self._options(asked), self._place(asked), bool(asked.get("recursive"))
        found = await asyncio.to_thread(videos_of, self._root, folder, place, recursive=recursive)
        return JSONResponse({"numbers": self._queue.add_all(found, options)}, 201)

    async def act(self, request: Request) -> Response:
        """Pause, continue, stop or remove a job, or put it first."""
        action = request.path_params["action"]
        if action not in ("pause", "continue", "stop", "remove", "first"):
            raise RefusedError("no such action", 404)
        if not self._queue.act(request.path_params["number"], action):
            raise RefusedError("the job is not in a state for that", 409)
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        """Answer with the file that a job has made."""
        job = self._queue.job(request.path_params["number"])
        if job is None or job.state != "done" or job.output is None:
            raise RefusedError("no such result", 404)
        file = self._root.inside(job.output)
        if not file.is_file():
            raise RefusedError("the result is a folder, or no longer there", 404)
        return FileResponse(file, filename=file.name, content_disposition_type="attachment")

    async def events(self, request: Request) -> Response:
        """Answer with what is new in the queue, as it happens (server-sent events)."""
        return StreamingResponse(self._news(request), media_type="text/event-stream")

    async def _news(self, request: Request) -> AsyncIterator[str]:
        shown, quiet = -1, 0
        while not await request.is_disconnected():
            version = self._queue.version
            if version != shown:
                shown, quiet = version, 0
                yield f"data: {json.dumps(self._queue.plain())}\n\n"
            elif (quiet := quiet + 1) % BEATS == 0:
                yield ": still here\n\n"
            await asyncio.sleep(EVERY)

    async def _asked(self, request: Request) -> dict[str, Any]:
        """Return the object of a request. Raises RefusedError."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_REQUEST:
                raise RefusedError("too long", 413)
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise RefusedError("not an object in JSON")
        return found

    def _source(self, written: Any) -> Path:
        """Return the source that is named. Raises OutsideError, InputError."""
        if not isinstance(written, str) or not written:
            raise RefusedError("no source is named")
        path = self._root.path(written)
        if not path.exists():
            raise InputError(f"{written} does not exist")
        return path

    def _place(self, asked: dict[str, Any]) -> Path | None:
        """Return the folder for results that is named, None for beside the sources. Raises OutsideError."""
        written = asked.get("place") or ""
        if not isinstance(written, str):
            raise RefusedError("the place of the results is no text")
        return self._root.path(written.strip()) if written.strip() else None

    def _options(self, asked: dict[str, Any]) -> Options:
        try:
            return options_from(asked.get("options", {}))
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(str(error)) from None
