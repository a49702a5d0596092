"""Whole jobs without a model's full name: the source picks the weights, it is said, and a stopped job keeps them."""

import json
from pathlib import Path
from typing import Any

import av
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from tests.told import told
from vsrcli.errors import InterruptedJobError, UsageError
from vsrcli.pipeline import Event, Result

FAST: dict[str, Any] = {"precision": "fp32", "memory": 1 << 30}


def lossy(folder: Path, *, frames: int = 12) -> Path:
    return make.video(folder / "lossy.mp4", width=32, height=32, frames=frames, options={"crf": "32"})


def lossless(folder: Path) -> Path:
    return make.video(folder / "clean.mkv", width=48, height=32, frames=4, codec="ffv1")


def upscale(source: Path, output: Path, **options: Any) -> tuple[Result, list[str]]:
    """The result, and what was said about the choice."""
    said: list[str] = []

    def listen(event: Event) -> None:
        if event.kind in ("note", "warning"):
            said.append(event.text)

    return vsrcli.upscale(source, output, on_event=listen, **FAST | options), said


def comment(path: Path) -> str:
    with av.open(str(path)) as container:
        return next(value for value in container.metadata.values() if "upscaled by vsr" in value)


@pytest.mark.parametrize("model", [None, "repvsr"])
def test_a_compressed_source_gets_real_weights_and_a_lossless_one_clean_weights(
    tmp_path: Path, model: str | None
) -> None:
    result, said = upscale(lossy(tmp_path), tmp_path / "a.mp4", model=model)
    assert result.model == "repvsr.real"
    assert len(said) == 1
    assert said[0].startswith("using repvsr.real: the source is compressed (H.264, about CRF ")
    assert result.picked is not None and said[0].endswith(result.picked)
    assert "repvsr.real" in comment(result.output)
    result, said = upscale(lossless(tmp_path), tmp_path / "b.mkv", model=model)
    assert (result.model, said) == ("repvsr.bi", ["using repvsr.bi: the source is lossless (FFV1)"])


def test_images_get_weights_for_clean_sources(tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    make.ffmpeg("-i", lossless(tmp_path), frames / "%d.png")
    result, said = upscale(frames, tmp_path / "out")
    assert (result.model, said) == ("repvsr.bi", ["using repvsr.bi: the source is lossless (PNG images)"])


def test_full_names_and_paths_are_not_changed(tmp_path: Path, tiny_model: str) -> None:
    source = lossy(tmp_path, frames=4)
    for model in ("repvsr.bi", tiny_model):
        result, said = upscale(source, tmp_path / f"{Path(model).stem}.mp4", model=model)
        assert (result.model, result.picked, said) == (Path(model).name, None, [])
        result, said = upscale(source, tmp_path / f"{Path(model).stem}.mkv", model=model, content="anime")
        assert result.model == Path(model).name
        assert said == list(result.warnings) == [f"the content anime changes nothing: {model} names its weights"]
    assert upscale(source, tmp_path / "film.mp4", model="repvsr.bi", content="film")[1] == []


def test_missing_weights_for_the_content_are_reported(tmp_path: Path) -> None:
    result, said = upscale(lossy(tmp_path, frames=4), tmp_path / "out.mp4", model="repvsr", content="anime")
    assert result.model == "repvsr.real"
    assert said[1:] == list(result.warnings) == ["repvsr has no weights for drawn content"]
    with pytest.raises(UsageError, match="no such content: cartoon"):
        upscale(lossy(tmp_path), tmp_path / "no.mp4", content="cartoon")


def stopped(source: Path, output: Path, **options: Any) -> None:
    """Begin a job and stop it after its first segment."""

    def interrupt(event: Event) -> None:
        if event.kind == "frame" and event.done == 10:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        vsrcli.upscale(source, output, on_event=interrupt, **FAST | options)


@pytest.mark.usefixtures("short_segments")
def test_a_stopped_job_resumes_with_its_weights(tmp_path: Path) -> None:
    source, output = lossy(tmp_path, frames=12), tmp_path / "out.mp4"
    stopped(source, output)
    result, said = upscale(source, output)
    assert (result.model, result.made, result.frames) == ("repvsr.real", 4, 12)
    assert said[0].startswith("using repvsr.real: the source is compressed")


@pytest.mark.usefixtures("short_segments")
def test_a_resumed_job_keeps_its_weights_even_if_the_choice_would_differ(tmp_path: Path) -> None:
    source, output = lossy(tmp_path, frames=12), tmp_path / "out.mp4"
    stopped(source, output, model="repvsr.bi")
    with told(UsageError, r"differs in model.*--restart"):
        upscale(source, output, model="repvsr.bd")
    result, said = upscale(source, output, model="repvsr")
    assert (result.model, result.made) == ("repvsr.bi", 4)
    assert said == ["using repvsr.bi: the unfinished job began with it"]
    stopped(source, tmp_path / "again.mp4", model="repvsr.bi")
    result, _ = upscale(source, tmp_path / "again.mp4", restart=True)
    assert (result.model, result.made) == ("repvsr.real", 12)


def test_a_dry_run_shows_the_choice(tmp_path: Path) -> None:
    source = lossy(tmp_path, frames=4)
    done = vsr("upscale", source, "--dry-run", "--json", "--content", "film")
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["model"] == "repvsr.real" and plan["picked"].startswith("the source is compressed (H.264, about CRF")
    assert f"using repvsr.real: {plan['picked']}" in done.stderr
    assert f"picked  {plan['picked']}" in done.stderr
