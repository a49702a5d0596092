"""`vsr info` says what a source is and which weights it would get, without doing anything."""

import json
import shlex
from fractions import Fraction
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.media.info import Colour


def test_a_video_with_all_its_streams_is_described(film: Path) -> None:
    shown = vsr("info", film).stdout
    assert "64x48, h264 yuv420p, 8 bits, progressive" in shown and "20 frames, 0.8 s, 25 fps" in shown
    assert "     sound  AAC, mono (eng); AAC, mono (ger)\n" in shown and "1 cover" in shown and "chapter" in shown
    assert "     title  A title\n" in shown and "compressed  like H.264 at CRF " in shown
    assert "   weights  repvsr." in shown and "iconvsr" not in shown
    every = vsr("info", film, "-v").stdout
    assert "without -m: repvsr." in every and "-m iconvsr: iconvsr." in every
    asked = vsr("info", film, "-m", "iconvsr").stdout
    assert "-m iconvsr: iconvsr." in asked and "repvsr" not in asked


def test_an_estimated_number_of_frames_is_called_one(tmp_path: Path) -> None:
    assert ", about 12 frames, 0.5 s," in vsr("info", make.video(tmp_path / "a.mkv", frames=12)).stdout
    assert ": mov, 12 frames, 0.5 s," in vsr("info", make.video(tmp_path / "a.mp4", frames=12)).stdout


def test_declared_properties_are_shown(tmp_path: Path) -> None:
    colour = Colour(matrix=5, range=1, primaries=5, transfer=6)
    source = make.video(tmp_path / "a.mkv", frames=3, colour=colour, sar=Fraction(16, 11), rotation=_quarter())
    shown = vsr("info", source).stdout
    assert "matrix BT.601, range limited, primaries BT.601 (625)" in shown
    assert "64x48, shown as 48x93 (0.52:1), turned by 90 degrees" in shown
    assert "compressed  without loss\n" in vsr("info", make.video(tmp_path / "f.mkv", codec="ffv1")).stdout


def test_the_order_of_fields_is_told_by_the_pictures(tmp_path: Path) -> None:
    source = make.interlaced(tmp_path / "i.mkv")
    assert ", interlaced, top field first\n" in vsr("info", source).stdout
    assert json.loads(vsr("info", source, "--json").stdout)["fields"] == "top first"
    film = tmp_path / "film.mkv"  # whole frames, flagged like fields
    flagged = ["-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "1", "-vf", "setfield=tff"]
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25", "-frames:v", "12", *flagged, film)
    assert ", flagged as interlaced, but its frames are whole\n" in vsr("info", film).stdout
    capture = make.combed_but_not_flagged(tmp_path / "c.mkv")
    assert ", interlaced, top field first, though not flagged so\n" in vsr("info", capture).stdout


def _quarter() -> list[int]:
    return [0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30]


def test_what_a_result_will_lack_is_named(tmp_path: Path) -> None:
    plain, source = make.video(tmp_path / "plain.mp4", frames=4), tmp_path / "a.mov"
    dated = ["-metadata", "creation_time=2019-08-29T00:02:13Z"]
    make.ffmpeg("-i", plain, "-c", "copy", "-timecode", "10:00:00:00", "-metadata", "title=The wing", *dated, source)
    shown = vsr("info", source).stdout
    assert "      date  2019-08-29\n" in shown and "     sound  none\n" in shown and "not kept" not in shown
    assert "  timecode  10:00:00:00\n" in shown and "data" not in shown
    packed = make.video(tmp_path / "b.mp4", frames=2, options={"x264-params": "frame-packing=3", "preset": "ultrafast"})
    mark = "the mark of how two pictures for 3D are packed into one"
    assert f"  not kept  {mark}\n" in vsr("info", packed).stdout
    make.ffmpeg("-i", packed, "-i", plain, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "c.avi")
    assert json.loads(vsr("info", tmp_path / "c.avi", "--json").stdout)["not_kept"] == [mark, "stream 1 (video, h264)"]


def test_json_has_stable_fields_and_the_pick_s_reason(tmp_path: Path) -> None:
    source = make.video(tmp_path / "a.mp4", frames=3, options={"crf": "34"})
    seen = json.loads(vsr("info", source, "-m", "iconvsr", "--json").stdout)
    assert (seen["width"], seen["height"], seen["frames"], seen["rate"]) == (64, 48, 3, "25")
    assert seen["compression"]["like_x264_crf"] > 25 and not seen["compression"]["lossless"]
    [pick] = seen["picks"]
    assert pick["model"] == "iconvsr.real" and pick["asked"] == "iconvsr" and pick["here"]
    assert "compressed" in pick["reason"]
    drawn = json.loads(vsr("info", source, "--content", "anime", "--json").stdout)
    assert drawn["picks"][0]["model"].startswith("animesr")


def test_one_unreadable_file_does_not_stop_the_others(tmp_path: Path) -> None:
    source, text = make.video(tmp_path / "a.mp4", frames=2), tmp_path / "b.mp4"
    text.write_text("no video")
    done = vsr("info", source, text, "--json")
    assert done.returncode == 3 and len(json.loads(done.stdout)) == 1
    assert "b.mp4 is not a video" in done.stderr
    assert vsr("info", text).returncode == 1


def test_folders_are_listed_as_upscale_takes_them(tmp_path: Path) -> None:
    tapes = tmp_path / "tapes"
    (tapes / "1994").mkdir(parents=True)
    make.video(tapes / "1994" / "garden.mkv", frames=2)
    nested = vsr("info", tapes)
    assert nested.returncode == 1 and "lie in its subfolders: add --recursive" in nested.stderr
    for name in ("b.avi", "a.mp4"):
        make.video(tapes / name, frames=2, codec="mpeg4")
    make.ffmpeg("-i", tapes / "b.avi", "-c", "copy", "-metadata", "vsr=upscaled by vsr 0.1.0, x", tapes / "b_x4.mkv")
    (tapes / "notes.txt").write_text("a list")
    (tmp_path / "empty").mkdir()
    done = vsr("info", tapes)
    assert done.returncode == 0, done.stderr
    assert [Path(line.split(": ")[0].split()[-1]).name for line in done.stdout.splitlines() if "file  " in line] == [
        "a.mp4",
        "b.avi",
    ]
    for told in ("no videos by their names: notes.txt", "(--recursive takes them): 1994", "made by vsr: "):
        assert told in done.stderr
    (tapes / "b_x4.mkv").rename(tmp_path / "empty" / "b_x4.mkv")
    own = vsr("info", tmp_path / "empty")
    path = tmp_path / "empty" / "b_x4.mkv"
    assert (own.returncode, own.stdout) == (0, "")
    assert own.stderr.splitlines() == [
        f"left out, made by vsr: {path} (name a file itself to see it)",
        f"nothing else is there: name one of them, as vsr info {shlex.quote(str(path))}",
    ]
    path.unlink()
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", "1", tmp_path / "empty" / "photo.png")
    photographs = vsr("info", tmp_path / "empty", "-r")
    assert photographs.returncode == 1 and "give photographs by their names" in photographs.stderr
    make.video(tapes / "1994" / "a.mkv", frames=2)
    below = json.loads(vsr("info", tapes, "-r", "--json").stdout)
    assert [Path(one["input"]).name for one in below] == ["a.mp4", "b.avi", "a.mkv", "garden.mkv"]
    empty = tmp_path / "empty"
    assert vsr("info", empty, "-r").returncode == 1


@pytest.mark.parametrize("name", ["repvsr.real", "nosuch"])
def test_full_and_unknown_model_names_are_refused(film: Path, name: str) -> None:
    assert vsr("info", film, "-m", name).returncode == 2


def test_a_rate_that_is_not_used_is_told(tmp_path: Path) -> None:
    film, image = make.video(tmp_path / "a.mkv", frames=2), tmp_path / "0001.png"
    make.ffmpeg("-i", film, "-frames:v", "1", image)
    told = "--rate not used: it is for image sequences\n"
    assert [vsr("info", path, "--fps", "30").stderr for path in (film, image)] == [told, ""]
