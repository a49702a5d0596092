"""Write the shape of pixels into Matroska and NUT as they are made: PyAV has no way to, so ffmpeg stands behind it."""

import contextlib
import os
import subprocess
import tempfile
from fractions import Fraction
from typing import BinaryIO, cast

from vsrcli.errors import OutputError
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.encode import output_aspect
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.live import FileOutlet, Outlet
from vsrcli.media.write.mux import complaint, ffmpeg

_TELL = frozenset({"h264", "hevc"})
"""Codecs whose own stream tells the shape."""
# ffmpeg is to look at no more than the header before it passes on what it has; "nobuffer" would lose what it looked at
_AT_ONCE = ["-probesize", "32", "-analyzeduration", "1", "-fpsprobesize", "0"]


def shaped(outlet: Outlet, muxer: str, info: VideoInfo, settings: EncodeSettings) -> Outlet:
    """Return where a result is to be written: `outlet`, or ffmpeg before it where the pixels' shape would be lost."""
    aspect = output_aspect(info, settings)
    if muxer not in ("matroska", "webm", "nut") or settings.codec in _TELL or aspect in (0, 1):
        return outlet
    return _Shaper(outlet, muxer, aspect * settings.width / settings.height)


class _Shaper(Outlet):
    """The input of an ffmpeg that writes to another outlet, with pictures of a `shape` (width by height as shown)."""

    def __init__(self, outlet: Outlet, muxer: str, shape: Fraction) -> None:
        self._behind = outlet
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (until the stream ends)
        is_file = isinstance(outlet, FileOutlet)
        command = [*ffmpeg(), *_AT_ONCE, "-f", muxer, "-i", "pipe:0", "-map", "0", "-c", "copy", "-copyts"]
        command += ["-aspect", f"{shape.numerator}:{shape.denominator}", "-flush_packets", "1", "-f", muxer]
        self._process = subprocess.Popen(
            [*command, f"file:{outlet.name}" if is_file else "pipe:1"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if is_file else outlet.file,
            stderr=self._complaints,
            start_new_session=os.name == "posix",  # Ctrl-C is for vsr, which ends the stream
        )
        super().__init__(cast(BinaryIO, self._process.stdin), outlet.name)

    def write(self, data: bytes) -> int:
        """Write all of the bytes. Raises OSError."""
        try:
            return super().write(data)
        except OSError:
            self.gone = self._reader_is_gone()
            raise

    def close(self) -> None:
        """Flush the stream and wait until all is written. Raises OutputError."""
        with contextlib.suppress(OSError):
            super().close()
        code = self._process.wait()
        self._behind.close()
        gone, said = self._reader_is_gone(), complaint(self._said())
        self._complaints.close()
        if code and not gone:
            raise OutputError(f"cannot write {self.name}: {said or f'ffmpeg stopped ({code})'}")

    def _reader_is_gone(self) -> bool:
        self._process.wait()
        return not isinstance(self._behind, FileOutlet) and "Broken pipe" in self._said()

    def _said(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read().decode("utf-8", "replace")
