"""Sources that can be read only once: standard input, named pipes.

What a demuxer reads to know the streams is kept, so that it can be looked at as a file, and read again from the start.
"""

import contextlib
import io
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream

from vsrcli.errors import InputError
from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import HEAD, demux, open_stream, refuse_lists
from vsrcli.media.read.probe import probe
from vsrcli.media.read.programs import Tables

STDIN = frozenset({"-", "/dev/stdin"})
"""Names of standard input."""
MOST_HEAD = 1 << 29
"""Bytes that may come before the first frame: one of 16K in 16 bits is smaller."""
_ENOUGH = 1 << 24  # bytes by which a video is known as one
_CHUNK = 1 << 16
_PATIENCE = 0.2  # seconds between looks whether the work has been stopped


def is_stream(path: Path) -> bool:
    """Return whether a source can be read only once: standard input or a named pipe."""
    return str(path) in STDIN or path.is_fifo()


class Once:
    """The bytes of a stream, for a demuxer; at first the `head` is kept. Raises InputError if it cannot be opened."""

    name = "<once>"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped = threading.Event()
        """Ends the stream where it waits for more."""
        self.others: deque[av.Packet[Stream]] = deque()
        """Packets of the streams that are to be kept, as they come between those of the picture."""
        self.kept: tuple[int, ...] = ()
        """Numbers of these streams."""
        self.tables: Tables | None = None
        """Those of a transport stream, as far as it has been decoded."""
        self.fed = 0
        """Number of bytes that the demuxer has been given."""
        self._head, self._place, self._keeping = bytearray(), 0, True
        try:
            if str(path) in STDIN:
                if sys.stdin is None or os.isatty(0):
                    raise InputError("standard input is a terminal: pipe a video into it")
                self._file = io.FileIO(0, "rb", closefd=False)
            else:
                self._file = io.FileIO(os.fspath(path), "rb")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None

    def read(self, size: int) -> bytes:
        """Return some bytes, none at the end."""
        if self._place < len(self._head):
            data = bytes(self._head[self._place : self._place + size])
            self._place += len(data)
            self._feed(data)
            if not self._keeping and self._place == len(self._head):
                self._head, self._place = bytearray(), 0
            return data
        data = self._next(size)
        if self._keeping:
            self._head += data
            self._place += len(data)
        self._feed(data)
        return data

    def _feed(self, data: bytes) -> None:
        self.fed += len(data)
        if self.tables is not None:
            self.tables.feed(data)

    def _next(self, size: int) -> bytes:
        if os.name == "posix":  # elsewhere a wait for a pipe cannot be ended
            while not select.select([self._file], [], [], _PATIENCE)[0]:
                if self.stopped.is_set():
                    return b""
        return self._file.read(size) or b""

    def look(self, folder: Path) -> VideoInfo:
        """Return what the beginning tells, with its path: that of a file with it in `folder`.

        The length and the number of frames are unknown. Raises InputError.
        """
        file = folder / ("stdin" if str(self.path) in STDIN else self.path.name)
        while len(self._head) < HEAD and self.read(_CHUNK):
            pass
        if not self._head:
            raise InputError(f"{self.title} is empty (0 bytes)")
        refuse_lists(Path(self.title), bytes(self._head[:HEAD]))
        self._place = 0
        with contextlib.suppress(FFmpegError), self._demuxer():  # reads as much as it needs to know the streams
            pass
        while True:
            self._place = wanted = len(self._head)
            file.write_bytes(self._head)
            try:
                info = probe(file)
            except InputError as error:
                known = wanted < _ENOUGH or "not one frame" in str(error)  # as what is no video never is
                while known and len(self._head) < min(2 * wanted, MOST_HEAD) and self.read(_CHUNK):
                    pass
                if len(self._head) > wanted:
                    continue
                raise InputError(self._reason(str(error), file)) from None
            return replace(info, frames=None, duration=None)

    def _reason(self, message: str, file: Path) -> str:
        if "(moov)" in message:
            return f"{self.title} cannot be read once: its index lies at its end; give the file's name"
        return message.replace(str(file), self.title)

    @property
    def title(self) -> str:
        """The name for messages."""
        return "standard input" if str(self.path) in STDIN else str(self.path)

    @contextlib.contextmanager
    def open(self, info: VideoInfo) -> Iterator[InputContainer]:
        """Open the stream from its beginning, for the last time. Raises InputError."""
        self._place, self._keeping, self.fed = 0, False, 0
        self.tables = Tables(None) if info.container == "mpegts" else None
        try:
            with self._demuxer() as container:
                yield container
        except FFmpegError as error:
            raise InputError(f"{self.title} cannot be read: {error.strerror}") from None
        finally:
            self.close()

    def _demuxer(self) -> InputContainer:
        return open_stream(self)

    def packets(self, container: InputContainer, stream: av.VideoStream) -> "Iterator[av.Packet[av.VideoStream]]":
        """Yield the picture's packets; those of the kept streams are put beside. Raises FFmpegError."""
        kept: Sequence[Stream] = [container.streams[index] for index in self.kept if index < len(container.streams)]
        for packet in demux(container, stream, *kept):
            if packet.stream_index == stream.index:
                yield cast("av.Packet[av.VideoStream]", packet)
            elif packet.size:
                self.others.append(packet)

    def close(self) -> None:
        """Stop reading: who writes into the pipe is told so by the system."""
        self.stopped.set()
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            if str(self.path) in STDIN:  # the number 0 must stay taken
                nothing = os.open(os.devnull, os.O_RDONLY)
                os.dup2(nothing, 0)
                os.close(nothing)
            self._file.close()
