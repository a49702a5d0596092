"""What `probe` finds out, on real tiny files."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.photo.images import write_png
from vsrcli.media.read.probe import probe, tagged_duration


def test_plain_video_is_described(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.mp4", frames=12, rate=Fraction(30000, 1001), sar=Fraction(4, 3))
    info = probe(path)
    assert (info.width, info.height, info.pix_fmt, info.bit_depth) == (64, 48, "yuv420p", 8)
    assert (info.codec, info.frames, info.rate) == ("h264", 12, Fraction(30000, 1001))
    assert info.duration == pytest.approx(12 * 1001 / 30000)
    assert info.sample_aspect_ratio == Fraction(4, 3)
    assert (info.rotation, info.interlaced, info.images, info.streams) == (None, False, (), ())


@pytest.mark.parametrize("name", ["a.mkv", "a.mpg", "a.ts", "a.mp4"])
def test_a_late_start_is_no_part_of_the_length(tmp_path: Path, name: str) -> None:
    plain, late = make.video(tmp_path / "plain.mkv", frames=25, codec="mpeg2video"), tmp_path / name
    make.ffmpeg("-i", plain, "-c", "copy", "-output_ts_offset", "0.6", "-avoid_negative_ts", "disabled", late)
    info = probe(late)
    assert info.duration == pytest.approx(1.0, abs=0.05) and info.frames == pytest.approx(25, abs=1)
    assert info.start_time > 0.5 or name == "a.mp4"
    assert info.estimated is (name != "a.mp4")


def test_a_length_told_by_mkvmerge_is_kept(tmp_path: Path) -> None:
    plain, late = make.video(tmp_path / "plain.mkv", frames=25), tmp_path / "late.mkv"
    tags = ["_STATISTICS_TAGS=DURATION NUMBER_OF_FRAMES", "NUMBER_OF_FRAMES=25"]
    how = ["-c", "copy", "-output_ts_offset", "0.6", *(part for tag in tags for part in ("-metadata:s:v", tag))]
    make.ffmpeg("-i", plain, *how, late)
    info = probe(late)
    assert (info.frames, info.estimated) == (25, False)
    assert info.duration == pytest.approx(1.6, abs=0.05)


def test_colour_tags_are_read_as_declared(tmp_path: Path) -> None:
    colour = Colour(matrix=9, range=1, primaries=9, transfer=18)
    info = probe(
        make.video(tmp_path / "a.mkv", codec="libx265", pix_fmt="yuv420p10le", colour=colour, width=96, height=64)
    )
    assert replace(info.colour, chroma_location=0) == colour
    assert (info.bit_depth, info.pix_fmt) == (10, "yuv420p10le")


def test_undeclared_colour_stays_undeclared(tmp_path: Path) -> None:
    assert probe(make.video(tmp_path / "a.mkv", codec="ffv1")).colour == Colour()


@pytest.mark.parametrize(("number", "location"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_chroma_location_is_found(tmp_path: Path, number: int, location: int) -> None:
    plain, tagged = make.video(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    make.ffmpeg("-i", plain, "-c", "copy", "-bsf:v", f"h264_metadata=chroma_sample_loc_type={number}", tagged)
    assert probe(tagged).colour.chroma_location == location


def test_rotation_is_read_as_nine_integers(tmp_path: Path) -> None:
    matrix = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    assert probe(make.video(tmp_path / "a.mp4", rotation=matrix)).rotation == matrix


def test_hdr_metadata_comes_in_the_encoders_form(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    path = make.video(
        tmp_path / "hdr.mp4",
        codec="libx265",
        pix_fmt="yuv420p10le",
        width=96,
        height=64,
        frames=3,
        options={"x265-params": f"log-level=none:master-display={display}:max-cll=1000,400:repeat-headers=1"},
    )
    info = probe(path)
    assert (info.mastering_display, info.content_light) == (display, (1000, 400))


def test_all_other_streams_are_listed(tmp_path: Path) -> None:
    info = probe(make.rich(tmp_path / "rich.mkv"))
    kinds = [(stream.kind, stream.codec, stream.language) for stream in info.streams]
    assert kinds[:3] == [("audio", "aac", "eng"), ("audio", "aac", "ger"), ("subtitle", "subrip", "fre")]
    assert [stream.kind for stream in info.streams[3:]] == ["attachment", "video"]
    assert [stream.attached_picture for stream in info.streams] == [False] * 4 + [True]
    assert info.chapters == 2
    assert (info.width, info.codec, info.stream_index) == (64, "h264", 0)


def test_a_cover_is_not_the_video_even_when_it_comes_first_and_is_larger(tmp_path: Path) -> None:
    video, cover, path = make.video(tmp_path / "v.mp4"), tmp_path / "c.png", tmp_path / "out.mp4"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:d=1", "-frames:v", "1", cover)
    make.ffmpeg(
        "-i", cover, "-i", video, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", path
    )
    info = probe(path)
    assert (info.width, info.codec) == (64, "h264")
    assert [stream.attached_picture for stream in info.streams] == [True]


def test_declared_interlacing_is_read(tmp_path: Path) -> None:
    assert probe(make.interlaced(tmp_path / "i.mpg")).interlaced


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("webm", "libvpx-vp9", "yuv420p"),
        ("avi", "mpeg4", "yuv420p"),
        ("gif", "gif", "rgb8"),
        ("ts", "libx264", "yuv420p"),
    ],
)
def test_rate_and_frame_count_are_found_without_an_index(tmp_path: Path, suffix: str, codec: str, pix_fmt: str) -> None:
    info = probe(make.video(tmp_path / f"a.{suffix}", codec=codec, pix_fmt=pix_fmt, frames=20))
    assert info.rate == 25
    assert info.frames == pytest.approx(20, abs=2)


def test_a_raw_stream_takes_the_rate_of_its_headers(tmp_path: Path) -> None:
    info = probe(make.video(tmp_path / "a.264", rate=Fraction(50)))
    assert (info.rate, info.frames, info.duration) == (Fraction(50), None, None)


def _write_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_unreadable_sources_give_one_line(tmp_path: Path) -> None:
    video = make.video(tmp_path / "v.mp4", frames=20).read_bytes()
    cases = {
        tmp_path / "none.mp4": "does not exist",
        _write_bytes(tmp_path / "zero.mp4", b""): "is empty",
        _write_bytes(tmp_path / "text.mp4", b"just a text\n" * 50): "is not a video",
        _write_bytes(tmp_path / "text.txt", b"just a text\n" * 50): "not a video",
        make.audio_only(tmp_path / "a.m4a"): "no video",
        _write_bytes(tmp_path / "cut.mp4", video[: len(video) // 2]): "cut off",
    }
    for path, says in cases.items():
        with pytest.raises(InputError, match=says) as caught:
            probe(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_missing_permission_is_reported(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.mp4")
    path.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        probe(path)


def test_colons_and_percent_signs_in_names_have_no_meaning(tmp_path: Path) -> None:
    assert probe(make.video(tmp_path / "a.mp4").rename(tmp_path / "at 10:30 100%d.mp4")).width == 64


def _sequence(folder: Path, count: int = 12) -> VideoInfo:
    folder.mkdir()
    for number in range(count):
        write_png(folder / f"{number}.png", make.pattern(number))
    return probe(folder, rate=Fraction(24))


def test_a_folder_of_images_is_a_video_in_natural_order(tmp_path: Path) -> None:
    info = _sequence(tmp_path / "in")
    assert [path.name for path in info.images] == [f"{number}.png" for number in range(12)]
    assert (info.frames, info.rate, info.time_base, info.duration) == (12, Fraction(24), Fraction(1, 24), 0.5)
    assert (info.width, info.height, info.pix_fmt, info.codec) == (64, 48, "rgb24", "png")


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    _sequence(tmp_path / "in", 3)
    write_png(tmp_path / "in" / "2.png", make.pattern(2, 32, 32))
    with pytest.raises(
        InputError, match=r"differ in size.*2\.png 32x32; photographs are given by their names, as .*\*\.png"
    ):
        probe(tmp_path / "in")


def test_a_real_phone_video_is_described(shared: Path) -> None:
    info = probe(shared / "data/real/phone_rotated_vfr.mp4")
    assert info.rotation == (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
    assert (info.frames, info.width, info.height, info.time_base) == (23, 352, 288, Fraction(1, 90000))
    assert [stream.codec for stream in info.streams] == ["aac"]


def test_pipes_and_undecodable_names_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="is a pipe"):
        probe(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match="not UTF-8"):
        probe(tmp_path / os.fsdecode(b"caf\xe9.mp4"))


def without_decoder(folder: Path, kind: str, suffix: str) -> Path:
    """A film with one more track of `kind`, of a codec that no decoder knows."""
    inputs = {"audio": ["-f", "lavfi", "-i", "sine=d=0.4"], "video": ["-f", "lavfi", "-i", "testsrc2=s=32x32:d=0.4"]}
    codecs = {"audio": ["-c:a", "alac"], "video": ["-c:v:1", "mjpeg"]}
    make.ffmpeg("-i", make.video(folder / "p.mp4"), *inputs[kind], "-map", "0", "-map", "1", "-c:v:0", "copy",
                *codecs[kind], "-strict", "-2", folder / f"whole{suffix}")  # fmt: skip
    old, new = {
        ("audio", ".mov"): (b"alac", b"apac"),
        ("audio", ".mp4"): (b"alac", b"zz?9"),
        ("audio", ".mkv"): (b"A_ALAC", b"A_ZZZZ"),
        ("video", ".mov"): (b"jpeg", b"zzzz"),
        ("video", ".mkv"): (b"V_MJPEG", b"V_ZZZZZ"),
    }[kind, suffix]
    data = (folder / f"whole{suffix}").read_bytes()
    assert old in data
    path = folder / f"in{suffix}"
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("kind", "suffix"), [("audio", ".mov"), ("audio", ".mp4"), ("audio", ".mkv"), ("video", ".mov"), ("video", ".mkv")]
)
def test_a_side_track_without_a_decoder_is_listed(tmp_path: Path, kind: str, suffix: str) -> None:
    info = probe(without_decoder(tmp_path, kind, suffix))
    assert [(other.kind, other.codec) for other in info.streams] == [(kind, "unknown")]
    assert info.width == 64


NO_LENGTHS = [
    "nan:nan:nan",
    "00:00:nan",
    "00:00:inf",
    "0:0:1e308",
    "9" * 400 + ":0:0",
    "-1:0:0",
    "²:0:0",
    "x",
    "",
    "1:2",
]


@pytest.mark.parametrize("duration", NO_LENGTHS)
def test_invalid_durations_are_ignored(tmp_path: Path, duration: str) -> None:
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4"), "-c", "copy", tmp_path / "in.mkv")
    with av.open(str(tmp_path / "in.mkv")) as container:
        stream = container.streams.video[0]
        stream.metadata["DURATION"] = duration
        assert tagged_duration(stream) is None


@pytest.mark.parametrize("count", ["²", "٣", "-3", "9" * 5000, "1e3", ""])
def test_invalid_frame_counts_are_ignored(tmp_path: Path, count: str) -> None:
    picture = make.video(tmp_path / "p.mp4", frames=10)
    make.ffmpeg("-i", picture, "-c", "copy", "-metadata:s:v", f"NUMBER_OF_FRAMES={count}", tmp_path / "in.mkv")
    assert probe(tmp_path / "in.mkv").frames == 10


LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile {}\n",
    "dash": '<?xml version="1.0"?>\n<MPD type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet>'
    '<Representation id="0" mimeType="video/mp4"><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n# {}\n",
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4", "list.mkv", "list.txt", "list"])
@pytest.mark.parametrize("target", ["film.ts", "../film.ts", "http://127.0.0.1:9/film.ts", "file:film.ts"])
def test_playlists_are_not_followed(tmp_path: Path, kind: str, name: str, target: str) -> None:
    make.video(tmp_path / "film.ts", frames=5)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_text(LISTS[kind].format(target))
    with pytest.raises(InputError, match="list of other files"):
        probe(folder / name)
