"""The Python interface: one loaded model for files, frames and tensors; typed options; cancelling; examples."""

import re
import runpy
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import get_type_hints

import av
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import vsrcli
from tests.media import make
from tests.nets.small import small
from vsrcli.choices import EngineChoices, JobChoices, SpanChoices
from vsrcli.engine.options import LEAST_TILE, EngineOptions
from vsrcli.errors import InterruptedJobError, UsageError
from vsrcli.frame import Frame
from vsrcli.media.options import SpanOptions
from vsrcli.nets.horizon import LEAST_HORIZON, Horizon
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of

DOCUMENTED = Path(__file__).resolve().parents[1] / "docs" / "python.md"


def pictures(count: int, dtype: type = np.uint8) -> list[np.ndarray]:
    scales: dict[type, float] = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}
    scale = scales[dtype]
    return [(make.pattern(n, 32, 32).astype(np.float64) * scale).astype(dtype) for n in range(count)]


@pytest.fixture(scope="module")
def upscaler() -> vsrcli.Upscaler:
    return vsrcli.Upscaler("repvsr.real", precision="fp32")


def test_the_keywords_are_the_fields_of_the_records() -> None:
    names = {o.name for o in options_of(Options)} - {"model", "content"}
    assert set(get_type_hints(EngineChoices)) == {o.name for o in options_of(EngineOptions)}
    assert set(get_type_hints(SpanChoices)) == {o.name for o in options_of(SpanOptions)} | {"fps"}
    assert set(get_type_hints(EngineChoices)) | set(get_type_hints(JobChoices)) == names | {"fps"}


def test_the_documented_options_are_those_of_the_records() -> None:
    rows = re.findall(r"^\| (`.*?) \| (.*?) \| (.*) \|$", DOCUMENTED.read_text("utf-8"), re.MULTILINE)
    told = {name: (default, takes) for names, default, takes in rows for name in re.findall(r"`(\w+)`", names)}
    options = {one.name: one for one in options_of(Options) if one.name not in ("model", "content")}
    assert set(told) == set(options)
    for name, (default, takes) in told.items():
        assert default == ("60" if name == "horizon" else f"`{options[name].default!r}`"), name
        assert [word for word in options[name].words if word not in takes] == [], name
    assert (Horizon().frames, LEAST_HORIZON, LEAST_TILE) == (60, 3, 32)


def test_sizes_are_pairs_or_texts() -> None:
    assert EngineOptions(tile="256x192").tile == (256, 192)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"not a tile: 16x16 \(it must be 32 or more"):
        vsrcli.Upscaler(tile="16x16")
    vsrcli.Upscaler(tile="64x48")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_frames_in_memory_keep_type_number_and_times(upscaler: vsrcli.Upscaler, dtype: type) -> None:
    given = [Frame(10 * n, data, pts=7 * n, duration=7) for n, data in enumerate(pictures(4, dtype))]
    made = list(upscaler.frames(given))
    assert [(f.number, f.pts, f.duration) for f in made] == [(10 * n, 7 * n, 7) for n in range(4)]
    assert all(f.data.shape == (128, 128, 3) and f.data.dtype == dtype for f in made)


def test_frames_and_files_give_the_same_pictures(upscaler: vsrcli.Upscaler, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.16", folder / "%04d.png")
    result = upscaler.video(folder, tmp_path / "out" / "%04d.png")
    assert result.frames == 4 and result.model == "repvsr.real"
    from_file = [f.data for f in vsrcli.read(tmp_path / "out")]
    from_memory = [f.data for f in upscaler.frames(vsrcli.read(folder))]
    assert all(np.array_equal(a, b) for a, b in zip(from_file, from_memory, strict=True))


def test_tensor_and_frames_give_the_same_result(upscaler: vsrcli.Upscaler) -> None:
    given = pictures(3, np.float32)
    clip = torch.from_numpy(np.stack(given)).permute(0, 3, 1, 2)
    made = upscaler(clip)
    assert made.shape == (3, 3, 128, 128)
    frames = np.stack([f.data for f in upscaler.frames(given)]).clip(0, 1)
    assert np.allclose(made.permute(0, 2, 3, 1).numpy(), frames, atol=1e-6)
    assert upscaler(clip[:0]).shape == (0, 3, 128, 128)


def test_the_model_is_loaded_once(tmp_path: Path) -> None:
    save_file(small("repvsr").state_dict(), tmp_path / "net.safetensors")
    upscaler = vsrcli.Upscaler(str(tmp_path / "net.safetensors"))
    assert (upscaler.model.name, upscaler.scale) == ("net.safetensors", 4)
    (tmp_path / "net.safetensors").unlink()
    for _ in range(2):
        assert len(list(upscaler.frames(pictures(2)))) == 2


def test_wrong_input_is_one_clear_error(upscaler: vsrcli.Upscaler) -> None:
    with pytest.raises(UsageError, match="not a picture"):
        list(upscaler.frames([np.zeros((32, 32), np.uint8)]))
    with pytest.raises(UsageError, match="16x16 among 32x32"):
        list(upscaler.frames([np.zeros((32, 32, 3), np.uint8), np.zeros((16, 16, 3), np.uint8)]))
    with pytest.raises(UsageError, match="not a clip"):
        upscaler(torch.zeros(3, 8, 8))
    with pytest.raises(UsageError, match="not a clip: a ndarray"):
        upscaler(np.zeros((1, 3, 32, 32), np.float32))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such option: tiles"):
        vsrcli.Upscaler(tiles=(32, 32))  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="rate and fps"):
        next(vsrcli.read("x.mp4", rate=Fraction(3), fps=3))


def test_event_cancels_a_job_that_can_be_continued(upscaler: vsrcli.Upscaler, tmp_path: Path) -> None:
    source = make.rich(tmp_path / "in.mkv", width=32, height=32, frames=90)
    cancel = threading.Event()

    def hear(event: Event) -> None:
        if event.kind == "frame" and event.done >= 61:
            cancel.set()

    with pytest.raises(InterruptedJobError):
        upscaler.video(source, tmp_path / "out.mkv", progress=hear, cancel=cancel, preset="ultrafast")
    assert not (tmp_path / "out.mkv").exists()
    result = upscaler.video(source, tmp_path / "out.mkv", preset="ultrafast")
    assert (result.frames, result.made) == (90, 30)
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 90


def test_an_event_cancels_a_job_that_is_being_put_together(upscaler: vsrcli.Upscaler, tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mkv", width=32, height=32, frames=3)
    cancel = threading.Event()

    def hear(event: Event) -> None:
        if event.kind == "assemble":
            cancel.set()

    with pytest.raises(InterruptedJobError, match="go on"):
        upscaler.video(source, tmp_path / "out.mkv", progress=hear, cancel=cancel, preset="ultrafast")
    assert not (tmp_path / "out.mkv").exists()
    result = upscaler.video(source, tmp_path / "out.mkv", preset="ultrafast")
    assert (result.frames, result.made) == (3, 0)


def test_an_event_stops_frames(upscaler: vsrcli.Upscaler) -> None:
    cancel = threading.Event()
    made = upscaler.frames(pictures(5), cancel=cancel)
    next(made)
    cancel.set()
    assert list(made) == []


def test_the_models_are_listed() -> None:
    models = {entry.name: entry for entry in vsrcli.list_models()}
    assert models["repvsr.real"].scale == 4 and models["basicvsr.reds4"].licence


def test_examples_do_what_they_describe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("PIL")

    def example(name: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(Path(__file__).parents[1] / "examples" / name), run_name="__main__")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        return code, *capsys.readouterr()

    for name in ("a.mkv", "b.mkv"):
        make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.48", "-c:v", "libx264", tmp_path / name)
    _, out, _ = example("frames_in_memory.py", tmp_path / "a.mkv", tmp_path / "pictures")
    assert "upscaled 12 frames to 128x128" in out
    assert [p.name for p in sorted((tmp_path / "pictures").iterdir())] == ["0000.png", "0010.png"]
    (tmp_path / "c.mkv").write_bytes(b"no video")
    names = (tmp_path / "a.mkv", tmp_path / "c.mkv", tmp_path / "b.mkv")
    code, out, error = example("many_files.py", tmp_path / "large", *names)
    assert code == 3 and out.count("12 frames") == 2 and "c.mkv" in error
    _, _, error = example("progress_and_cancel.py", tmp_path / "a.mkv", tmp_path / "out.mkv", 0)
    assert "stopped" in error and not (tmp_path / "out.mkv").exists()
    _, out, error = example("progress_and_cancel.py", tmp_path / "a.mkv", tmp_path / "out.mkv")
    assert "12 frames of 128x128" in out and "frame 12 of" in error
