"""A job keeps transparency where the output can, goes on with it when it was stopped, and else says that it is lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.errors import InterruptedJobError, Remark
from vsrcli.media.photo.images import load_picture
from vsrcli.media.pixels.alpha import alpha_of
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.pipeline import Event

OPTIONS: dict[str, Any] = {"window": 4, "precision": "fp32"}
DISC = "clip(800-40*hypot(X-20-2*N,Y-24),0,255)"
RAW = f"testsrc2=s=64x48:r=10:d=1,format=rgba,geq=r='128':g='if(lt(X,32),60,200)*gt(alpha(X,Y),0)':b='64':a='{DISC}'"


def film(path: Path, *options: str) -> Path:
    make.ffmpeg("-f", "lavfi", "-i", RAW, *options, path)
    return path


def opacities(path: Path) -> list[np.ndarray]:
    """Return the opacity of a file's frames in levels of 8 bits."""
    frames = decode(replace(probe(path), keeps_alpha=True))
    found = [
        np.full(f.data.shape[:2], 255) if f.alpha is None else f.alpha // (257 if f.alpha.itemsize == 2 else 1)
        for f in frames
    ]
    return [alpha.astype(int) for alpha in found]


def lowered(alpha: np.ndarray) -> np.ndarray:
    means: np.ndarray = alpha.reshape(48, 4, 64, 4).mean((1, 3))
    return means


@pytest.mark.parametrize(
    ("source", "made", "codec"),
    [
        (["-c:v", "ffv1", "-pix_fmt", "bgra", "in.mkv"], "out.mkv", "ffv1"),
        (["-c:v", "qtrle", "-pix_fmt", "argb", "in.mov"], "out.mov", "prores"),
        (["-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0", "-pix_fmt", "yuva420p", "in.webm"], "out.webm", "vp9"),
        pytest.param(["-c:v", "ffv1", "-pix_fmt", "bgra", "in.mkv"], "out.webm", "vp9", marks=pytest.mark.slow),
        pytest.param(["-f", "apng", "in.apng"], "out.mkv", "ffv1", marks=pytest.mark.slow),
        pytest.param(["-f", "apng", "in.apng"], "out.apng", "apng", marks=pytest.mark.slow),
        (["-c:v", "ffv1", "-pix_fmt", "bgra", "in.mkv"], "out.gif", "gif"),
    ],
)
def test_opacity_is_upscaled_beside_the_colours(
    tmp_path: Path, tiny_model: str, source: list[str], made: str, codec: str
) -> None:
    path = film(tmp_path / source[-1], *source[:-1])
    result = vsrcli.upscale(path, tmp_path / made, model=tiny_model, **OPTIONS)
    assert probe(result.output).codec == codec
    old, new = opacities(path), opacities(result.output)
    assert len(new) == len(old) == 10
    for before, after in zip(old, new, strict=True):
        off = np.abs(lowered(after) - before)
        assert off.mean() < (20 if codec == "gif" else 2)  # whose pixels are transparent or opaque
        assert after[0, 0] <= 2 and after.max() >= 253


@pytest.mark.slow
def test_a_stopped_job_goes_on_with_the_same_opacity(tmp_path: Path, tiny_model: str) -> None:
    path = tmp_path / "in.webm"
    raw = RAW.replace("64x48", "24x16").replace("d=1,", "d=6.4,").replace("2*N", "0.2*N")
    make.ffmpeg("-f", "lavfi", "-i", raw, "-c:v", "libvpx-vp9", "-b:v", "1M", "-pix_fmt", "yuva420p", path)

    def stop(event: Event) -> None:
        if event.kind == "frame" and event.done == 62:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        vsrcli.upscale(path, tmp_path / "part.webm", model=tiny_model, on_event=stop, **OPTIONS)
    rest = vsrcli.upscale(path, tmp_path / "part.webm", model=tiny_model, **OPTIONS)
    whole = vsrcli.upscale(path, tmp_path / "whole.webm", model=tiny_model, **OPTIONS)
    assert 0 < rest.made < rest.frames == 64
    for one, other in zip(opacities(rest.output), opacities(whole.output), strict=True):
        assert np.array_equal(one, other)


def test_images_keep_it_as_png_and_webp_and_say_that_jpeg_does_not(tmp_path: Path, tiny_model: str) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "%03d.png", "-frames:v", "3")
    vsrcli.upscale(tmp_path / "in", tmp_path / "out", model=tiny_model, **OPTIONS)
    vsrcli.upscale(tmp_path / "in", tmp_path / "webp" / "%03d.webp", model=tiny_model, **OPTIONS)
    for name in ("001", "003"):
        old = alpha_of(load_picture(tmp_path / "in" / f"{name}.png"))
        png, webp = load_picture(tmp_path / "out" / f"{name}.png"), load_picture(tmp_path / "webp" / f"{name}.webp")
        new, also = alpha_of(png), alpha_of(webp)
        assert old is not None and new is not None and also is not None
        assert np.abs(lowered(new) - old).mean() < 2
        assert np.array_equal(also, new)
    result = vsrcli.upscale(tmp_path / "in", tmp_path / "jpg" / "%03d.jpg", model=tiny_model, **OPTIONS)
    assert [line for line in result.warnings if "transparency" in line] == [
        ".jpg does not keep transparency: write .png or .webp for it"
    ]


def test_what_does_not_keep_it_says_so_once_and_what_does(tmp_path: Path, tiny_model: str) -> None:
    path = film(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", "bgra")
    for made, codec, advice in (
        ("out.mp4", None, "(-o out.mov keeps it)"),
        ("out.mkv", "h264", "(--codec ffv1 keeps it)"),
    ):
        extra = [] if codec is None else ["--codec", codec]
        done = vsr("upscale", path, "-o", tmp_path / made, "-m", tiny_model, *extra)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stderr.splitlines() if "transparency" in line]
        assert len(lines) == 1 and advice in lines[0]


def test_a_codec_that_is_named_keeps_what_comes_late(tmp_path: Path, tiny_model: str) -> None:
    path = tmp_path / "in.mov"
    late = "testsrc2=s=32x24:r=10:d=0.3,format=rgba,geq=r='9':g='9':b='9':a='if(lt(N,1),255,clip(X*16,0,255))'"
    make.ffmpeg("-f", "lavfi", "-i", late, "-c:v", "qtrle", "-pix_fmt", "argb", path)
    lines: list[str] = []
    vsrcli.upscale(path, tmp_path / "a.mov", model=tiny_model, on_event=lambda e: lines.append(e.text), **OPTIONS)
    assert len([line for line in lines if "prores in .mov" in line]) == 1
    vsrcli.upscale(path, tmp_path / "b.mov", model=tiny_model, codec="prores", **OPTIONS)
    first, _, last = opacities(tmp_path / "b.mov")
    assert first.min() == 255 and last.min() < 20


def test_opaque_sources_whose_format_has_alpha_are_encoded_as_any_other(tmp_path: Path, tiny_model: str) -> None:
    path = tmp_path / "in.mov"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=0.3,format=argb", "-c:v", "qtrle", path)
    result = vsrcli.upscale(path, tmp_path / "out.mov", model=tiny_model, **OPTIONS)
    assert probe(result.output).codec == "h264"
    assert result.warnings == ("the source's alpha is opaque: it is left out",)
    assert isinstance(result.warnings[0], Remark)


@pytest.mark.slow
def test_crop_scaling_and_new_frames_take_it_along(tmp_path: Path, tiny_model: str) -> None:
    path = film(tmp_path / "in.mkv", "-c:v", "ffv1", "-pix_fmt", "bgra")
    made = vsrcli.upscale(path, tmp_path / "a.mkv", model=tiny_model, crop="32:40:8:4", height=80, fps="2x", **OPTIONS)
    with av.open(str(made.output)) as container:
        first = next(container.decode(video=0))
    assert (first.width, first.height, first.format.name) == (64, 80, "bgra")
    new = opacities(made.output)
    assert len(new) == 19
    old = opacities(path)
    for number, before in enumerate(old):
        small = new[2 * number].reshape(40, 2, 32, 2).mean((1, 3))
        assert np.abs(small - before[4:44, 8:40]).mean() < 3
    between, around = new[1].mean(), sorted((new[0].mean(), new[2].mean()))
    assert around[0] - 1 <= between <= around[1] + 1
