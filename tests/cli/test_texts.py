"""What a person is told: once, in few words, and as a warning only where something is wrong."""

import json
import re
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.names import is_address


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of 336x64 without a colour matrix, whose results are as wide as HD."""
    folder = tmp_path_factory.mktemp("growing")
    for name in ("a", "b"):
        make.video(folder / f"{name}.mp4", width=336, height=64, frames=1)
    return folder


def test_the_assumed_matrix_is_noted_once_per_batch(growing: Path, tiny_model: str) -> None:
    done = vsr("upscale", growing, "-m", tiny_model, "-o", growing / "out", "--json")
    line = "the source declares no colour matrix: taken as BT.601, and the output says so"
    assert done.stderr.splitlines().count(line) == 1 and f"warning: {line}" not in done.stderr, done.stderr
    assert done.stderr.splitlines()[-2:] == [f"2 files: {line}", "2 done"]
    reports = json.loads(done.stdout)
    assert [report["notes"] for report in reports] == [[line], [line]]
    assert [report["warnings"] for report in reports] == [[], []]


def test_a_codec_with_a_matrix_of_its_own_is_not_said_to_have_the_assumed_one(growing: Path, tiny_model: str) -> None:
    done = vsr("upscale", growing / "a.mp4", "-m", tiny_model, "-o", growing / "a.mov", "--codec", "dnxhr", "--json")
    assert json.loads(done.stdout)["notes"] == [
        "dnxhr frames are marked as BT.709: the matrix is converted to it",
        "the source declares no colour matrix: taken as BT.601",
    ]


def test_a_file_that_is_skipped_is_told_in_one_line(tmp_path: Path, tiny_model: str) -> None:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x24:r=25", "-frames:v", "2", tmp_path / "a.mpg")
    make.ffmpeg("-i", tmp_path / "a.mpg", "-c", "copy", tmp_path / "b.mpg")
    command = ("upscale", tmp_path, "-o", tmp_path / "out", "-m", tiny_model, "--crop", "auto")
    first = vsr(*command).stderr.splitlines()
    ending = ".mpg is not written: the result is .mkv, which holds everything"
    assert first.count(ending) == first.count(f"2 files: {ending}") == 1
    skipped = [f"  {tmp_path / 'out' / f'{name}.mkv'} is there already: skipped" for name in "ab"]
    heads = [f"[{i}/2] {tmp_path / f'{name}.mpg'}" for i, name in enumerate("ab", 1)]
    assert vsr(*command).stderr.splitlines() == [heads[0], skipped[0], heads[1], skipped[1], "2 skipped"]


def test_options_of_a_call_that_change_nothing_are_named(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=1, width=32, height=24)
    idle = ("-r", "--shards", "2", "--ray-cpus", "2")
    done = vsr("upscale", film, "-m", tiny_model, *idle)
    told = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert (done.returncode, told) == (0, [
        "warning: --ray-cpus, --shards not used: for a run on a cluster (--ray)",
        "warning: --recursive not used: no folder is named",
    ])  # fmt: skip
    done = vsr("compare", film, "--reference", film, "--mode", "wipe", "--rate", "30")
    assert [line for line in done.stderr.splitlines() if line.startswith("warning")] == [
        "warning: --mode not used: for what -o names",
        "warning: --rate not used: it is for image sequences",
    ]
    sized = vsr("bench", "--memory", "-m", "repvsr.bi", "--frames", "3", "--json").stderr
    assert sized == "--memory runs nothing: --frames not used\n"


def test_the_result_names_its_codec_where_it_is_another(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=1, width=32, height=24)
    for codec, said in (("ffv1", " as ffv1 in "), ("h264", "96 in ")):
        done = vsr("upscale", film, "-m", tiny_model, "-o", tmp_path / f"{codec}.mkv", "--codec", codec)
        assert said in done.stderr.splitlines()[-1], done.stderr


def test_grey_video_gets_no_note_about_an_assumed_matrix(tmp_path: Path, tiny_model: str) -> None:
    grey = make.video(tmp_path / "grey.mkv", width=336, height=64, frames=1, codec="ffv1", pix_fmt="gray")
    done = vsr("upscale", grey, "-m", tiny_model, "-o", tmp_path / "out.mkv")
    assert done.returncode == 0 and "matrix" not in done.stderr, done.stderr


def test_a_dry_run_shows_deinterlacing_and_frame_by_frame_runs(tmp_path: Path) -> None:
    source = make.interlaced(tmp_path / "i.mkv", frames=4)
    shown = vsr("upscale", source, "--dry-run", "-m", "repvsr.real").stderr
    assert "    note  interlaced source: deinterlaced to 25 fps" in shown
    assert re.search(r" run  \w+, \d+ threads?, \w+, frame by frame\n", shown)
    tiled = vsr("upscale", source, "--dry-run", "-m", "repvsr.real", "--tile", "32", "--memory", "1MB").stderr
    assert "frame by frame, tiles of 32x32" in tiled
    assert re.search(r"warning  a memory of 1 MiB is too small; going on with about \d+", tiled)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("https://example.org/a.mp4", True),
        ("https://example.org/watch?v=x", True),
        ("HTTP:/example.org/%08d.png", True),
        ("rtmp://example.org/live", True),
        ("www.example.org/a.mp4", True),
        ("s3://bucket/a.mkv", True),
        ("s3/a.mkv", False),
        ("C:/films/a.mp4", False),
        ("http", False),
        ("a:/b.mp4", False),
        ("www.mp4", False),
    ],
)
def test_addresses_and_file_names_are_told_apart(name: str, address: bool) -> None:
    assert is_address(Path(name)) == address


def test_web_addresses_are_refused(film: Path) -> None:
    for command in ("info", "preview"):
        done = vsr(command, "https://example.org/a.mp4")
        assert done.returncode in (1, 2)
        assert done.stderr == "vsr: vsr reads files, not web addresses: download it first, and give the file's name\n"
    done = vsr("upscale", film, "-o", "rtmp://example.org/live/a.flv")
    assert done.returncode == 2 and "cannot use rtmp://example.org/live/a.flv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_failures_of_a_batch_are_named_once(tmp_path: Path, tiny_model: str) -> None:
    make.video(tmp_path / "a.mp4", frames=1)
    (tmp_path / "b.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").write_text("x")
    done = vsr("upscale", tmp_path, "-m", tiny_model)
    assert done.returncode == 3
    assert done.stderr.count("is empty (0 bytes)") == done.stderr.count("is not a video") == 1
    assert "1 done, 2 failed" in done.stderr and done.stderr.endswith("vsr: 2 of 3 files failed\n")
    quiet = vsr("upscale", tmp_path, "-m", tiny_model, "-q").stderr.splitlines()
    assert [line.partition(" is ")[0] for line in quiet[:-1]] == [f"failed: {tmp_path / n}" for n in ("b.mp4", "c.mp4")]


def test_an_architecture_name_shows_the_chosen_model(tmp_path: Path) -> None:
    assert vsr("weights", "path", "repvsr").stderr == "vsr: using repvsr.real\n"
    damaged = tmp_path / "net.pth"
    damaged.write_bytes(b"nothing of a net")
    done = vsr("upscale", make.video(tmp_path / "a.mp4", frames=1), "-m", damaged)
    assert done.returncode == 1 and "not a checkpoint" in done.stderr


def test_pull_shows_the_address_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))
    monkeypatch.setenv("VSR_WEIGHTS_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    done = vsr("weights", "pull", "tdan.vimeo90k-bi")
    assert done.returncode == 1 and done.stderr.count("http") == 1
    assert "cannot be reached" in done.stderr and f"put that file at {tmp_path}" in done.stderr
