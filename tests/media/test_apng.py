"""An animated PNG is written without loss, with alpha, at the frames' own times, and repeats."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter


def written(source: Path, output: Path, *, segments: int = 2) -> None:
    """Go the way to `output` without the net, in several segments."""
    info = probe(source)
    settings = choose_settings(info, output, width=info.width, height=info.height)
    assert settings.codec == "apng"
    frames = list(decode(replace(info, keeps_alpha=True)))
    parts = []
    for k in range(segments):
        parts.append(output.with_suffix(f".{k}"))
        with SegmentWriter(parts[-1], info, settings) as writer:
            for frame in frames[len(frames) * k // segments : len(frames) * (k + 1) // segments]:
                writer.write(frame)
    assemble(parts, info, settings, output, warn=lambda line: None)


@pytest.mark.parametrize(("pix_fmt", "found"), [("bgra", "rgba"), ("gbrp", "rgb24"), ("gbrap16le", "rgba64be")])
def test_pictures_and_opacity_are_the_sources(tmp_path: Path, pix_fmt: str, found: str) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.apng"
    alpha = "geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='clip(X*4-N*9,0,255)'"
    make.ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=64x48:r=10:d=0.7,format=rgba,{alpha}",
                "-c:v", "ffv1", "-pix_fmt", pix_fmt, source)  # fmt: skip
    written(source, output, segments=3)
    assert probe(output).pix_fmt == found
    old, new = (list(decode(replace(probe(path), keeps_alpha=True))) for path in (source, output))
    assert len(old) == len(new) == 7
    for a, b in zip(old, new, strict=True):
        assert np.array_equal(a.data, b.data)
        assert (a.alpha is None) == (b.alpha is None) == (pix_fmt == "gbrp")
        assert a.alpha is None or b.alpha is None or np.array_equal(a.alpha, b.alpha)


def test_times_are_the_frames_own_and_it_repeats(tmp_path: Path) -> None:
    source, output = tmp_path / "in.mkv", tmp_path / "out.apng"
    make.video(source, frames=6, pts=[0, 40, 80, 200, 240, 1240], time_base=Fraction(1, 1000))
    written(source, output)
    with av.open(str(output)) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.size]  # type: ignore[operator]
    assert times == pytest.approx([0, 0.04, 0.08, 0.2, 0.24, 1.24], abs=0.002)
    control = output.read_bytes()
    at = control.index(b"acTL")
    assert control[at + 4 : at + 12] == (6).to_bytes(4, "big") + (0).to_bytes(4, "big")
