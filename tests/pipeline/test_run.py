"""Whole jobs, with real files: nothing but the picture's size changes, and nothing is lost when a job stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from tests.told import told
from vsrcli.errors import InputError, InterruptedJobError, OutputError, UsageError, WeightsError
from vsrcli.pipeline import Event, Result
from vsrcli.pipeline.running import batch

FAST: dict[str, Any] = {"window": 4, "lookahead": 2, "precision": "fp32"}


def upscale(source: Path, output: Path, model: str, **options: Any) -> Result:
    return vsrcli.upscale(source, output, model=model, **FAST | options)


def pts(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & 0x400)
        return sorted(p.pts for p in container.demux(stream) if p.size and p.pts is not None)


def packets(path: Path, kind: str) -> list[list[bytes]]:
    with av.open(str(path)) as container:
        streams = [s for s in container.streams if s.type == kind]
        found: dict[int, list[bytes]] = {s.index: [] for s in streams}
        for packet in container.demux(streams):
            if packet.size:
                found[packet.stream_index].append(bytes(packet))
        return list(found.values())


def pictures(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_all_frames_timestamps_sound_and_tags_survive(film: Path, tiny_model: str, tmp_path: Path) -> None:
    events: list[Event] = []
    result = upscale(film, tmp_path / "out.mkv", tiny_model, on_event=events.append)
    assert (result.frames, result.size) == (20, (256, 192))
    assert pts(result.output) == pts(film)
    assert packets(result.output, "audio") == packets(film, "audio")
    with av.open(str(film)) as before, av.open(str(result.output)) as after:
        tags = {key.lower(): value for key, value in after.metadata.items()}
        assert tags["title"] == before.metadata["title"]
        assert result.weights[:16] in tags["vsr"]
        assert [c["start"] for c in after.chapters()] == [c["start"] for c in before.chapters()]
    assert [e.done for e in events if e.kind == "frame"] == list(range(1, 21))
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_titles_that_are_not_utf8_are_tolerated(tiny_model: str, tmp_path: Path) -> None:
    source = tmp_path / "in" / "old.avi"
    source.parent.mkdir()
    make.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4:r=10", "-f", "lavfi", "-i", "sine=d=0.4"),
        *("-metadata", "title=Caf? noir", "-metadata:s:a:0", "title=Fran?ais", "-c:v", "mpeg4", source),
    )
    source.write_bytes(source.read_bytes().replace(b"Caf?", b"Caf\xe9").replace(b"Fran?", b"Fran\xe7"))
    for output in (tmp_path / "out.mkv", tmp_path / "out.mp4"):
        assert upscale(source, output, tiny_model).frames == 4
        assert b"Caf\xe9 noir" in output.read_bytes()
    assert [batch.is_result(p) for p in (source, tmp_path / "out.mkv", tmp_path / "none.mkv")] == [False, True, False]


def test_ogg_sources_become_mp4(tiny_model: str, tmp_path: Path) -> None:
    source, output, warnings = tmp_path / "in.ogv", tmp_path / "out.mp4", []
    make.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.48:r=25", "-f", "lavfi", "-i", "sine=d=0.48"),
        *("-c:v", "libtheora", "-c:a", "libvorbis", source),
    )
    upscale(source, output, tiny_model, on_event=lambda e: warnings.append(e.text) if e.kind == "warning" else None)
    assert len(pts(output)) == len(make.second_opinion(source))
    assert packets(output, "audio") == packets(source, "audio")
    assert warnings == []


def test_the_output_is_named_after_the_input(film: Path, tiny_model: str, tmp_path: Path) -> None:
    source = tmp_path / "my film.mkv"
    source.write_bytes(film.read_bytes())
    assert vsrcli.upscale(source, model=tiny_model, end=0.08, **FAST).output == tmp_path / "my film_x4.mkv"
    assert vsrcli.upscale(source, model=tiny_model, end=0.08, height=96, **FAST).output == tmp_path / "my film_96p.mkv"


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"scale": 2}, (128, 96)),
        ({"height": 100}, (134, 100)),
        ({"size": (100, 60)}, (100, 60)),
        ({"size": (99, 59)}, (100, 60)),  # 4:2:0 has no odd sizes
    ],
)
def test_requested_scales_and_sizes_are_produced(
    film: Path, tiny_model: str, tmp_path: Path, asked: dict[str, Any], size: tuple[int, int]
) -> None:
    result = upscale(film, tmp_path / "out.mkv", tiny_model, end=0.2, **asked)
    assert pictures(result.output).shape[2:0:-1] == size == result.size


def test_the_reported_size_is_the_real_size(film: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(film, tmp_path / "out.mkv", tiny_model, end=0.08, size=(75, 51))
    assert result.size == pictures(result.output).shape[2:0:-1] == (76, 52)


def test_a_link_to_itself_is_replaced(film: Path, tiny_model: str, tmp_path: Path) -> None:
    (tmp_path / "out.mkv").symlink_to("out.mkv")
    assert upscale(film, tmp_path / "out.mkv", tiny_model, end=0.08).output.is_file()


def test_image_sequences_keep_depth_and_names(film: Path, tiny_model: str, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    make.ffmpeg("-i", film, "-frames:v", "5", "-start_number", "7", frames / "%04d.png")
    upscale(frames, tmp_path / "out" / "%08d.png", tiny_model)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{i:08d}.png" for i in range(7, 12)]
    upscale(frames, tmp_path / "same", tiny_model)
    assert sorted(p.name for p in (tmp_path / "same").iterdir()) == [f"{i:04d}.png" for i in range(7, 12)]
    first, again = (next(av.open(str(p)).decode(video=0)).to_ndarray() for p in sorted(tmp_path.glob("*/*07.png"))[1:])
    assert first.shape == (192, 256, 3)
    assert np.array_equal(first, again)


SHORT_SEGMENTS = """
from vsrcli.cli import main
from vsrcli.pipeline.jobs import segments

segments.SEGMENT_FRAMES = 8
main()
"""


def command(*arguments: object) -> list[str]:
    """Return the command line of another process that upscales in short segments."""
    return [sys.executable, "-c", SHORT_SEGMENTS, "upscale", *map(str, arguments)]


def long_film(path: Path, frames: int = 150) -> Path:
    return make.video(path, frames=frames, width=32, height=24)


@pytest.mark.parametrize(
    ("way", "awaited"),
    [(("--lookahead", "4"), "000000.json"), (("--propagation", "exact"), "states/*.tensors")],
    ids=["window", "exact"],
)
@pytest.mark.usefixtures("short_segments")
def test_a_killed_and_resumed_job_gives_equal_frames(
    tiny_model: str, tmp_path: Path, way: tuple[str, ...], awaited: str
) -> None:
    film = long_film(tmp_path / "in.mp4", frames=60)
    options = ["-m", tiny_model, "--window", "10", *way, "--precision", "fp32", "-q"]
    assert vsr("upscale", film, "-o", tmp_path / "whole.mp4", *options).returncode == 0
    output, work = tmp_path / "killed.mp4", tmp_path / "killed.mp4.vsr"
    process = subprocess.Popen(command(film, "-o", output, *options))
    while process.poll() is None and not list(work.glob(awaited)):
        time.sleep(0.002)
    process.kill()
    assert process.wait() != 0, "the job was too short to be killed"
    assert work.exists() and not output.exists()
    assert vsr("upscale", film, "-o", output, *options).returncode == 0
    assert np.array_equal(pictures(output), pictures(tmp_path / "whole.mp4"))
    assert pts(output) == pts(film)
    assert not work.exists()


def made_at(job: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in job.glob("states/backward.*")}


@pytest.mark.usefixtures("short_segments")
def test_exact_propagation_equals_the_whole_scene_and_sweeps_once(tiny_model: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "in.mp4", frames=40, width=32, height=24)
    lossless = {"codec": "ffv1", "window": 10, "lookahead": None}
    whole = upscale(film, tmp_path / "whole.mkv", tiny_model, propagation="clip", **lossless)
    work = tmp_path / "out.mkv.vsr"
    events: list[Event] = []

    def interrupt(event: Event) -> None:
        events.append(event)
        if event.kind == "frame" and event.done == 15:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        upscale(film, tmp_path / "out.mkv", tiny_model, propagation="exact", on_event=interrupt, **lossless)
    assert [(e.done, e.total) for e in events if e.kind == "sweep"] == [(n, 30) for n in range(0, 31, 10)]
    before = made_at(work)
    assert "backward.20.tensors" in before and "backward.0.tensors" not in before and not (work / "frames").exists()
    seen: list[dict[str, int]] = []

    def look(event: Event) -> None:
        if event.kind == "sweep":
            seen.append(made_at(work))

    upscale(film, tmp_path / "out.mkv", tiny_model, propagation="exact", on_event=look, **lossless)
    assert before.items() <= seen[-1].items()
    same = np.abs(pictures(tmp_path / "out.mkv").astype(int) - pictures(whole.output)) <= 1
    assert same.all()
    assert pts(tmp_path / "out.mkv") == pts(whole.output)
    assert not work.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutputError], ids=["interrupted", "failed"])
def test_swept_states_survive_a_stop_before_the_first_segment(
    tiny_model: str, tmp_path: Path, error: type[BaseException]
) -> None:
    film = make.video(tmp_path / "in.mp4", frames=40, width=32, height=24)
    exact = {"window": 10, "lookahead": None, "propagation": "exact"}

    def stop(event: Event) -> None:
        if event.kind == "sweep" and event.done == 20:
            raise error("stopped")

    with pytest.raises((InterruptedJobError, OutputError), match=r"what was swept|stopped"):
        upscale(film, tmp_path / "out.mkv", tiny_model, on_event=stop, **exact)
    assert len(made_at(tmp_path / "out.mkv.vsr")) == 2
    assert not (tmp_path / "out.mkv.vsr" / "frames").exists()
    assert upscale(film, tmp_path / "out.mkv", tiny_model, **exact).frames == 40


@pytest.fixture
def sigint() -> Iterator[None]:
    """SIGINT as in a terminal, also where the tests run in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint", "short_segments")
def test_ctrl_c_keeps_finished_segments_and_says_how_to_resume(tiny_model: str, tmp_path: Path) -> None:
    film = long_film(tmp_path / "in.mp4", frames=20)

    def interrupt(event: Event) -> None:
        if event.kind == "frame" and event.done == 10:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedJobError, match=r"^stopped: the first 8 frames are kept, the .* same command$"):
        upscale(film, tmp_path / "out.mp4", tiny_model, on_event=interrupt)
    events: list[Event] = []
    result = upscale(film, tmp_path / "out.mp4", tiny_model, on_event=events.append)
    assert (result.frames, result.made) == (20, 12)
    assert next(e for e in events if e.kind == "start").done == 8


@pytest.mark.usefixtures("short_segments")
def test_an_unfinished_job_refuses_other_settings(tiny_model: str, tmp_path: Path) -> None:
    film = long_film(tmp_path / "in.mp4", frames=12)

    def interrupt(event: Event) -> None:
        if event.kind == "frame" and event.done == 9:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        upscale(film, tmp_path / "out.mp4", tiny_model, on_event=interrupt)
    with told(UsageError, r"differs in crf.*--restart"):
        upscale(film, tmp_path / "out.mp4", tiny_model, crf=30)
    with told(UsageError, r"differs in memory.*--restart"):  # the plan is the one it began with
        upscale(film, tmp_path / "out.mp4", tiny_model, memory=64 << 20)
    assert upscale(film, tmp_path / "out.mp4", tiny_model, crf=30, restart=True).made == 12


def bad_inputs(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is not a video\n" * 50)
    make.audio_only(tmp_path / "audio.mp4")
    whole = long_film(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    return {name: tmp_path / f"{name}.mp4" for name in ("empty", "text", "audio", "truncated", "missing")}


@pytest.mark.parametrize("name", ["empty", "text", "audio", "truncated", "missing"])
def test_bad_input_gives_one_line_and_leaves_no_file(tiny_model: str, tmp_path: Path, name: str) -> None:
    source = bad_inputs(tmp_path)[name]
    before = sorted(tmp_path.iterdir())
    done = vsr("upscale", source, "-m", tiny_model)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and str(source) in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_bad_output_is_refused_early(film: Path, tiny_model: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"not a folder|cannot write"):
        upscale(film, tmp_path / "file" / "out.mkv", tiny_model)
    (tmp_path / "there.mkv").touch()
    with told(UsageError, "add -y"):
        upscale(film, tmp_path / "there.mkv", tiny_model)
    with pytest.raises(UsageError, match=r"\.xyz"):
        upscale(film, tmp_path / "out.xyz", tiny_model)
    with pytest.raises(UsageError, match="the input itself"):
        upscale(film, film, tiny_model, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "there.mkv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nosuch"}, "nosuch"),
        ({"scale": 2, "height": 100}, "exclude each other"),
        ({"propagation": "stream"}, "cannot stream"),
        ({"propagation": "exact", "lookahead": 4}, "looks ahead to the end of the scene"),
        ({"tile": "7x"}, "not a tile: '7x'"),
        ({"tile": (32, 16)}, "not a tile: 32x16"),
        ({"tile": 32}, "not a tile"),
        ({"memory": "lots"}, "not a memory size"),
        ({"memory": 0}, "not a memory size"),
        ({"memory": True}, "not a memory size"),
        ({"horizon": 2}, "not a horizon"),
        ({"horizon": "none"}, "not a horizon"),
        ({"window": 0}, "not a window"),
        ({"codec": "nope"}, "unknown codec"),
        ({"propagation": "sideways"}, "no such propagation: sideways"),
        ({"scale": 17}, "not a scale"),
        ({"scale": float("nan")}, "not a scale"),
        ({"rate": 0}, "not a frame rate"),
        ({"fps": "9x"}, "not a frame rate"),
        ({"fsp": 25}, "no such option: fsp"),
        ({"device": "abacus"}, "no such device"),
        ({"device": "xpu"}, "no such device"),  # PyTorch knows the name
        ({"start": 2.0, "end": 1.0}, "after the start"),
    ],
)
def test_wrong_options_are_refused_with_advice(
    film: Path, tiny_model: str, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        vsrcli.upscale(film, tmp_path / "out.mkv", **{"model": tiny_model} | options)
    assert not list(tmp_path.iterdir())


def test_a_memory_budget_that_is_too_small_gives_a_warning(film: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(film, tmp_path / "out.mkv", tiny_model, end=0.2, memory=1 << 20)
    assert any("a memory of 1 MiB is too small; going on with about" in line for line in result.warnings)
    assert not upscale(film, tmp_path / "roomy.mkv", tiny_model, end=0.2, memory=8 << 30).warnings


def test_a_damaged_checkpoint_is_refused(film: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"\x10" * 100)
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        vsrcli.upscale(film, tmp_path / "out.mkv", model=str(tmp_path / "bad.safetensors"))


def test_a_full_disk_gives_one_line_and_the_job_can_resume(tiny_model: str, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        film = long_film(tmp_path / "in.mp4")
        done = vsr("upscale", film, "-o", small / "out.mp4", "-m", tiny_model, "--crf", "0", "-q", "--window", "10")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1 and "the disk is full" in done.stderr
        assert not (small / "out.mp4").exists()
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_source_without_sound_is_accepted(tiny_model: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "silent.mkv", frames=6)
    assert upscale(film, tmp_path / "out.mkv", tiny_model).frames == 6
    with pytest.raises(InputError, match=r"none\.mkv"):
        upscale(tmp_path / "none.mkv", tmp_path / "o.mkv", tiny_model)


def test_a_raw_stream_without_index_or_timestamps_is_upscaled(tiny_model: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "in.h264", frames=6)
    result = upscale(film, tmp_path / "out.mkv", tiny_model)
    assert result.frames == len(pts(result.output)) == 6


def test_an_output_that_appears_while_the_job_runs_is_kept(film: Path, tiny_model: str, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"

    def appear(event: Event) -> None:
        if event.kind == "assemble":
            output.write_text("somebody else's")

    result = upscale(film, output, tiny_model, end=0.08, on_event=appear)
    assert output.read_text() == "somebody else's"
    assert result.output == tmp_path / "out.1.mkv" and len(pts(result.output)) == 2
    assert any("appeared meanwhile" in line for line in result.warnings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.1.mkv", "out.mkv"]


def test_images_that_appear_while_the_job_runs_are_kept(film: Path, tiny_model: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"

    def appear(event: Event) -> None:
        if event.kind == "assemble":
            folder.mkdir()
            (folder / "1.png").write_text("somebody else's")

    result = upscale(film, folder / "%d.png", tiny_model, end=0.08, on_event=appear)
    assert (folder / "1.png").read_text() == "somebody else's"
    assert result.output == tmp_path / "out.1" / "%d.png"
    assert sorted(path.name for path in (tmp_path / "out.1").iterdir()) == ["1.png", "2.png"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system knows no such signal")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.usefixtures("short_segments")
def test_a_signal_to_stop_ends_the_job_cleanly(tiny_model: str, tmp_path: Path, name: str) -> None:
    film = long_film(tmp_path / "in.mp4", frames=80)
    number, ended = getattr(signal, name), threading.Event()

    def ask() -> None:
        while not ended.wait(0.002):
            if (tmp_path / "o.mp4.vsr" / "000000.json").exists():
                return os.kill(os.getpid(), number)

    before = signal.signal(number, lambda *_: None)  # as where nothing ignores it, and harmless to the tests
    asking = threading.Thread(target=ask)
    try:
        asking.start()
        done = vsr("upscale", film, "-o", tmp_path / "o.mp4", "-m", tiny_model, "--window", "10", "--lookahead", "4")
    finally:
        ended.set()
        asking.join()
        signal.signal(number, before)
    assert done.returncode == 130
    assert "; to go on, run the same command" in done.stderr.splitlines()[-1]
