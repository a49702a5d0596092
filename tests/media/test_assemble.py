"""The final file has everything of the source: each container is made, enlarged and read back."""

import re
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from tests.media import make
from tests.media.test_probe import without_decoder
from vsrcli.errors import InterruptedJobError, OutputError, Reason, UsageError
from vsrcli.frame import Frame
from vsrcli.media.containers import CONTAINERS, check_container
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.encoders import SYNONYMS
from vsrcli.media.write.made import MADE_BY_VSR
from vsrcli.media.write.mux import try_sound
from vsrcli.media.write.mux_tags import MADE_TAG
from vsrcli.pipeline.running import batch

BT709 = Colour(matrix=1, range=1, primaries=1, transfer=1, chroma_location=1)
ROTATED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
QUICK = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "12", "vp9": "8"}


@dataclass
class Film:
    """A file's contents as a reader finds them."""

    pts: list[Fraction] = field(default_factory=list)
    streams: list[dict[str, Any]] = field(default_factory=list)
    chapters: list[tuple[Fraction, Fraction, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [stream for stream in self.streams if stream["kind"] == kind]


def read(path: Path) -> Film:
    film = Film()
    with av.open(str(path)) as container:
        film.tags = dict(container.metadata)
        for chapter in container.chapters():
            tick = chapter["time_base"] or Fraction(0)
            span = chapter["start"] * tick, chapter["end"] * tick
            film.chapters.append((Fraction(span[0]), Fraction(span[1]), chapter["metadata"].get("title", "")))
        for stream in container.streams:
            known = stream.type in ("video", "audio", "subtitle")
            codec = stream.codec_context.codec.canonical_name if known else None
            film.streams.append({
                "kind": "cover" if stream.disposition & Disposition.attached_pic else stream.type,
                "codec": codec,
                "language": stream.metadata.get("language"),
                "title": stream.metadata.get("title") or stream.metadata.get("name"),  # Matroska's, MP4's
                "disposition": int(stream.disposition),
                "name": stream.metadata.get("filename"),
                "data": getattr(stream, "data", None) if stream.type == "attachment" else None,
                "packets": [],
            })  # fmt: skip
        for packet in container.demux():
            if packet.size:
                found = ((packet.pts or 0) * Fraction(packet.time_base or 0), bytes(packet))
                film.streams[packet.stream.index]["packets"].append(found)
    with av.open(str(path)) as container:
        video = next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
        film.pts = [Fraction(f.pts or 0) * Fraction(f.time_base or 0) for f in container.decode(video)]
    return film


def segments_of(
    info: VideoInfo, settings: EncodeSettings, folder: Path, *, borders: Sequence[int] = (7, 8)
) -> tuple[list[Path], list[int]]:
    """The source's own frames, twice as large, in segments that end at `borders`; and their pts."""
    folder.mkdir(exist_ok=True)
    with av.open(str(info.path)) as container:
        stream = container.streams[info.stream_index]
        assert isinstance(stream, av.VideoStream)
        decoded = container.decode(stream)
        frames = [(f.to_ndarray(format="rgb24"), f.pts, f.duration) for f in decoded if f.pts is not None]
    cuts = [0, *(border for border in borders if border < len(frames)), len(frames)]
    paths = []
    for number, (first, last) in enumerate(pairwise(cuts)):
        paths.append(folder / f"{number}.segment")
        with SegmentWriter(paths[-1], info, settings) as writer:
            for rgb, pts, duration in frames[first:last]:
                writer.write(Frame(0, rgb.repeat(2, 0).repeat(2, 1), pts, duration))
    return paths, [pts for _, pts, _ in frames]


def enlarge(
    source: Path, output: Path, *, codec: str | None = None, preset: str | None = None, **options: Any
) -> list[str]:
    """The whole way from `source` to `output`; returns the warnings."""
    info = probe(source)
    settings = choose_settings(info, output, width=info.width * 2, height=info.height * 2, codec=codec)
    quick = preset or QUICK.get(settings.codec)
    settings = choose_settings(
        info, output, width=info.width * 2, height=info.height * 2, codec=settings.codec, preset=quick
    )
    paths, _ = segments_of(info, settings, output.with_suffix(".work"))
    warnings: list[str] = []
    assemble(paths, info, settings, output, warn=warnings.append, **options)
    assert sorted(p.name for p in output.parent.iterdir() if ".partial" in p.name or p.name.startswith(".vsr")) == []
    return warnings


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts and a picture to mux."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,300\nHello\n\n2\n00:00:00,400 --> 00:00:00,600\nBye\n")
    (folder / "a.ass").write_text(
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Arial,20\n\n"
        "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:00.10,0:00:00.40,Default,,0,0,0,,{\\i1}Slanted{\\i0}\n"
    )
    (folder / "meta.txt").write_text(
        ";FFMETADATA1\ntitle=A title\nartist=Somebody\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=400\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=400\nEND=800\ntitle=Two\n"
    )
    (folder / "font.ttf").write_bytes(bytes(range(256)) * 4)
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:d=1", "-frames:v", "1", folder / "cover.png")
    return folder


def tones(count: int, seconds: float = 0.8) -> list[str]:
    arguments: list[str] = []
    for number in range(count):
        arguments += ["-f", "lavfi", "-i", f"sine=frequency={440 + 220 * number}:duration={seconds}:sample_rate=48000"]
    return arguments


@pytest.fixture(scope="module")
def mp4(parts: Path) -> Path:
    picture = make.video(
        parts / "picture.mp4", frames=20, rotation=ROTATED, colour=BT709, sar=Fraction(4, 3),
        options={"crf": "10", "bf": "2"},
    )  # fmt: skip
    path = parts / "film.mp4"
    make.ffmpeg(
        "-i", picture, *tones(2), "-i", parts / "a.srt", "-i", parts / "meta.txt", "-i", parts / "cover.png",
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "5:v", "-map_metadata", "4",
        "-map_chapters", "4", "-c:v", "copy", "-c:a", "aac", "-c:s", "mov_text", "-disposition:v:1", "attached_pic",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:s:0", "language=fre",
        "-disposition:a:1", "default", "-disposition:a:0", "0", "-metadata:s:v:0", "title=Camera 1",
        "-metadata:s:a:1", "title=Kommentar", "-metadata:s:s:0", "title=Signs", "-disposition:s:0", "forced", path,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def mkv(parts: Path) -> Path:
    """Variable frame rate, 1 ms timestamps."""
    pts = [0, 33, 67, 100, 250, 260, 300, 333, 500, 533, 567, 600, 633, 640, 700, 750]
    picture = make.video(parts / "picture.mkv", frames=len(pts), pts=pts, time_base=Fraction(1, 1000))
    path = parts / "film.mkv"
    make.ffmpeg(
        "-i", picture, *tones(2), "-i", parts / "a.srt", "-i", parts / "a.ass", "-i", parts / "meta.txt",
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:s", "-map", "4:s", "-map_metadata", "5",
        "-map_chapters", "5", "-c:v", "copy", "-c:a:0", "flac", "-c:a:1", "aac", "-c:s", "copy",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:0", "title=Main", "-metadata:s:a:1", "language=ger",
        "-metadata:s:s:1", "language=fre", "-attach", parts / "font.ttf",
        "-metadata:s:t:0", "mimetype=application/x-truetype-font", "-metadata:s:t:0", "filename=font.ttf",
        "-attach", parts / "cover.png", "-metadata:s:t:1", "mimetype=image/png",
        "-metadata:s:t:1", "filename=cover.png", path,
    )  # fmt: skip
    return path


def same_sound(source: Film, made: Film, *, within: Fraction = Fraction(0)) -> None:
    assert source.of("audio")
    assert len(source.of("audio")) == len(made.of("audio"))
    for before, after in zip(source.of("audio"), made.of("audio"), strict=True):
        assert [data for _, data in before["packets"]] == [data for _, data in after["packets"]]
        shifts = [b - a for (a, _), (b, _) in zip(before["packets"], after["packets"], strict=True)]
        assert max(map(abs, shifts)) <= within


def test_mp4_keeps_all_streams_and_metadata(mp4: Path, tmp_path: Path) -> None:
    warnings = enlarge(mp4, tmp_path / "out.mp4", tags={"comment": "made with care"})
    before, after = read(mp4), read(tmp_path / "out.mp4")
    assert warnings == []
    assert after.pts == before.pts
    same_sound(before, after)
    for key in ("kind", "language", "title", "disposition"):
        assert [s[key] for s in after.streams] == [s[key] for s in before.streams]
    assert after.of("subtitle")[0]["packets"] == before.of("subtitle")[0]["packets"]
    assert after.of("cover")[0]["packets"][0][1] == before.of("cover")[0]["packets"][0][1]
    assert after.chapters == before.chapters
    assert after.tags["title"] == "A title"
    assert after.tags["artist"] == "Somebody"
    assert after.tags["comment"] == "made with care"
    old, new = probe(mp4), probe(tmp_path / "out.mp4")
    assert new.time_base == old.time_base
    assert new.rotation == old.rotation == ROTATED
    assert new.sample_aspect_ratio == Fraction(4, 3)
    assert new.colour == old.colour


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_mp4_keeps_track_names(mp4: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    warnings = enlarge(mp4, out)
    tracks = [s for s in read(out).streams if s["kind"] in ("video", "audio", "subtitle")]
    assert [s["title"] for s in tracks] == ["Camera 1", None, "Kommentar", "Signs"]
    assert [s["language"] for s in tracks][1:] == ["eng", "ger", "fra" if suffix == ".mov" else "fre"]
    lost = [note for note in warnings if "cannot hold the" in note]
    assert len(lost) == (suffix == ".mov")
    assert all("forced flag of stream 3" in note for note in lost)
    if suffix == ".mkv":
        with av.open(str(out)) as made:
            assert all("NAME" not in stream.metadata for stream in made.streams)


def test_track_labels_that_a_container_cannot_hold_are_reported(mkv: Path, tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    make.ffmpeg("-i", mkv, "-map", "0:v:0", "-map", "0:a:1", "-map_chapters", "-1", "-c", "copy",
                "-metadata:s:a:0", "language=hrv", "-metadata:s:a:0", "title=Dub", source)  # fmt: skip
    named = "stream 1 (audio, aac, hrv)"
    assert enlarge(source, tmp_path / "out.mov") == [f".mov cannot hold the language of {named}"]
    assert f".ts cannot hold the name of {named}" in enlarge(source, tmp_path / "out.ts")
    assert enlarge(source, tmp_path / "out.mkv") == []


def test_a_second_decoder_sees_the_same_timestamps(mp4: Path, tmp_path: Path) -> None:
    enlarge(mp4, tmp_path / "out.mp4")
    rows = make.second_opinion(tmp_path / "out.mp4")
    assert [pts for pts, _ in rows] == [pts for pts, _ in make.second_opinion(mp4)]


def test_mkv_keeps_all_streams_and_metadata(mkv: Path, tmp_path: Path) -> None:
    warnings = enlarge(mkv, tmp_path / "out.mkv")
    before, after = read(mkv), read(tmp_path / "out.mkv")
    assert warnings == []
    assert after.pts == before.pts
    same_sound(before, after)
    for key in ("kind", "language", "title", "disposition", "name", "data"):
        assert [s[key] for s in after.streams] == [s[key] for s in before.streams]
    for old, new in zip(before.of("subtitle"), after.of("subtitle"), strict=True):
        assert new["codec"] == old["codec"]
        assert new["packets"] == old["packets"]
    assert after.of("attachment")[0]["data"] == bytes(range(256)) * 4
    assert after.of("cover")[0]["packets"][0][1] == before.of("cover")[0]["packets"][0][1]
    assert after.chapters == before.chapters
    assert after.tags["ARTIST"] == "Somebody"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_only_a_constant_frame_rate_is_declared(mkv: Path, tmp_path: Path, suffix: str) -> None:
    film, out = tmp_path / "film.mkv", tmp_path / f"out{suffix}"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=24000/1001", "-frames:v", "11", film)
    enlarge(film, out)
    enlarge(mkv, tmp_path / "variable.mkv")
    with av.open(str(out)) as made, av.open(str(tmp_path / "variable.mkv")) as variable:
        stream = made.streams.video[0]  # mp4's average is that of the times, which came in milliseconds
        rate = stream.average_rate if suffix == ".mkv" else stream.guessed_rate
        assert float(rate or 0) == pytest.approx(24000 / 1001, rel=1e-4)
        assert variable.streams.video[0].average_rate not in (Fraction(30), Fraction(30000, 1001))
    assert read(out).pts == read(film).pts


def test_webm_keeps_vp9_and_opus(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "p.mkv", codec="libvpx-vp9", pts=[0, 40, 80, 95, 160, 200, 240, 290, 320, 360],
                         time_base=Fraction(1, 1000), options={"cpu-used": "8", "deadline": "realtime"})  # fmt: skip
    source = tmp_path / "in.webm"
    make.ffmpeg("-i", picture, *tones(1, 0.4), "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "libopus",
                "-metadata:s:a:0", "language=eng", source)  # fmt: skip
    assert enlarge(source, tmp_path / "out.webm") == []
    before, after = read(source), read(tmp_path / "out.webm")
    assert after.pts == before.pts
    assert [s["codec"] for s in after.streams] == ["vp9", "opus"]
    assert after.of("audio")[0]["language"] == "eng"
    same_sound(before, after)


def test_transport_stream_keeps_its_clock(tmp_path: Path) -> None:
    source = tmp_path / "in.ts"
    picture = make.video(tmp_path / "p.mp4", frames=20)
    make.ffmpeg("-i", picture, *tones(1), "-c:v", "copy", "-c:a", "mp2", "-metadata:s:a:0", "language=eng", source)
    assert enlarge(source, tmp_path / "out.ts") == []
    before, after = read(source), read(tmp_path / "out.ts")
    assert before.pts[0] > 1  # a transport stream does not begin at 0
    assert after.pts == before.pts
    same_sound(before, after)
    assert after.of("audio")[0]["language"] == "eng"


def test_transport_stream_to_mp4_keeps_timestamps(tmp_path: Path) -> None:
    source = tmp_path / "in.ts"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=20), *tones(1), "-c:v", "copy", "-c:a", "mp2", source)
    assert enlarge(source, tmp_path / "out.mp4") == []
    before, after = read(source), read(tmp_path / "out.mp4")
    assert after.pts == before.pts
    same_sound(before, after, within=Fraction(1, 48000))


def test_mov_keeps_prores_and_pcm(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "p.mov", codec="prores_ks", pix_fmt="yuv422p10le", colour=BT709, frames=8)
    source = tmp_path / "in.mov"
    make.ffmpeg("-i", picture, *tones(1, 0.32), "-c:v", "copy", "-c:a", "pcm_s24le", source)
    assert enlarge(source, tmp_path / "out.mov", codec="prores") == []
    before, after = read(source), read(tmp_path / "out.mov")
    assert after.pts == before.pts
    assert after.streams[0]["codec"] == "prores"
    same_sound(before, after)
    made = probe(tmp_path / "out.mov")
    assert (made.pix_fmt, made.bit_depth) == ("yuv422p10le", 10)
    assert (made.colour.matrix, made.colour.primaries, made.colour.transfer) == (1, 1, 1)


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize(("profile", "tag"), [("proxy", "apco"), ("hq", "apch"), ("4444", "ap4h")])
def test_prores_is_labelled_with_its_profile(tmp_path: Path, profile: str, tag: str, suffix: str) -> None:
    pix_fmt = "yuv444p10le" if profile == "4444" else "yuv422p10le"
    source = make.video(tmp_path / "in.mov", codec="prores_ks", pix_fmt=pix_fmt, frames=3)
    assert enlarge(source, tmp_path / f"out{suffix}", codec="prores", preset=profile) == []
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_dnxhr_is_labelled_with_its_profile(tmp_path: Path, suffix: str) -> None:
    picture = make.video(
        tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv422p10le", colour=BT709, frames=4, width=128, height=64
    )
    assert enlarge(picture, tmp_path / f"out{suffix}", codec="dnxhr") == []
    before, after = read(picture), read(tmp_path / f"out{suffix}")
    assert after.pts == before.pts
    made = probe(tmp_path / f"out{suffix}")
    assert (made.codec, made.pix_fmt, made.bit_depth) == ("dnxhd", "yuv422p10le", 10)
    assert (made.colour.matrix, made.colour.primaries, made.colour.transfer) == (1, 1, 1)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        context = container.streams.video[0].codec_context
        assert (context.codec_tag, context.profile) == ("AVdh", "DNXHR HQX")


def test_dnxhr_has_the_matrix_that_its_frames_are_marked_with(tmp_path: Path) -> None:
    sources = {
        matrix: make.video(
            tmp_path / f"{matrix}.mkv", codec="ffv1", pix_fmt="yuv444p", frames=1, width=128, height=64,
            colour=Colour(matrix, 1, 2, 2),
        )
        for matrix in (1, 5)
    }  # fmt: skip
    made = {}
    for matrix, source in sources.items():
        assert enlarge(source, tmp_path / f"{matrix}.mov", codec="dnxhr", preset="444") == []
        info = probe(tmp_path / f"{matrix}.mov")
        assert info.colour.matrix == 1
        made[matrix] = next(iter(decode(info))).data.astype(int)
    assert np.abs(made[1] - made[5]).mean() < 400  # of 65535
    info = probe(sources[5])
    notes = choose_settings(info, Path("o.mov"), width=256, height=128, codec="dnxhr").notes
    assert notes == ("dnxhr frames are marked as BT.709: the matrix is converted to it",)


def test_avi_keeps_frames_and_sound(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "p.avi", codec="mpeg4", frames=12, options={"qscale": "3"})
    source = tmp_path / "in.avi"
    make.ffmpeg("-i", picture, *tones(1, 0.48), "-c:v", "copy", "-c:a", "libmp3lame", source)
    assert enlarge(source, tmp_path / "out.avi") == []
    before, after = read(source), read(tmp_path / "out.avi")
    assert len(after.pts) == len(before.pts) == 12
    same_sound(before, after)


@pytest.mark.parametrize("codec", ["hevc", "av1", "h264"])
def test_hdr_metadata_reaches_the_decoder(tmp_path: Path, codec: str) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    hdr = Colour(matrix=9, range=1, primaries=9, transfer=16, chroma_location=1)
    source = make.video(
        tmp_path / "in.mp4", codec="libx265", pix_fmt="yuv420p10le", frames=3, colour=hdr,
        options={"preset": "ultrafast", "x265-params": f"log-level=error:master-display={display}:max-cll=1000,400"},
    )  # fmt: skip
    assert enlarge(source, tmp_path / "out.mp4", codec=codec) == []
    before, after = probe(source), probe(tmp_path / "out.mp4")
    assert after.pix_fmt == "yuv420p10le"
    assert after.colour == before.colour == hdr
    assert before.mastering_display == display
    assert after.content_light == (1000, 400)
    assert after.mastering_display is not None
    old, new = (re.findall(r"\d+", text) for text in (display, after.mastering_display))
    assert [abs(int(a) - int(b)) <= 1 + int(a) // 1000 for a, b in zip(old, new, strict=True)] == [True] * 10
    if codec == "hevc":
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_gif_keeps_frame_times(tmp_path: Path) -> None:
    source = tmp_path / "in.gif"
    picture = make.video(
        tmp_path / "p.mkv", codec="ffv1", pix_fmt="bgr0", frames=5, pts=[0, 10, 30, 35, 60], time_base=Fraction(1, 100)
    )
    make.ffmpeg("-i", picture, "-fps_mode", "passthrough", "-enc_time_base", "demux", source)
    assert enlarge(source, tmp_path / "out.gif") == []
    before, after = read(source), read(tmp_path / "out.gif")
    assert after.pts == before.pts
    with av.open(str(source)) as small, av.open(str(tmp_path / "out.gif")) as large:
        a = next(small.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        b = next(large.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert b.shape == (96, 128, 3)
    assert np.abs(a.repeat(2, 0).repeat(2, 1) - b).mean() < 12


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_tags_of_a_phone_survive_in_mp4(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "in.mp4"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=3), "-c", "copy", "-movflags", "use_metadata_tags",
                "-metadata", "com.android.version=14", "-metadata", "creation_time=2024-05-06T07:08:09Z",
                source)  # fmt: skip
    assert enlarge(source, tmp_path / f"out{suffix}", tags={"comment": "ours"}) == []
    tags = read(tmp_path / f"out{suffix}").tags
    assert tags["com.android.version"] == "14"
    assert tags["creation_time"] == "2024-05-06T07:08:09.000000Z"
    assert tags["comment"] == "ours"


@pytest.mark.parametrize("name", ["a:b 1.mp4", "-x%03d.mp4", "ä'\"[1].mp4"])
def test_file_names_with_special_characters_work(mp4: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    source = shutil.copy(mp4, tmp_path / "in" / name)
    enlarge(Path(source), tmp_path / name)
    assert read(tmp_path / name).pts == read(mp4).pts


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (suffix, codec)
        for suffix in (".mp4", ".mov", ".mkv", ".webm", ".ts", ".avi")
        for codec in CONTAINERS[suffix].video
    ]
    + [(".m4v", "av1"), (".m2ts", "hevc")],
)
def test_every_container_holds_its_listed_codecs(tmp_path: Path, suffix: str, codec: str) -> None:
    source = make.video(tmp_path / "in.mkv", frames=9, width=128, height=64)
    enlarge(source, tmp_path / f"out{suffix}", codec=codec)
    made = read(tmp_path / f"out{suffix}")
    assert len(made.pts) == 9
    assert [SYNONYMS.get(stream["codec"], stream["codec"]) for stream in made.streams] == [codec]


def test_mp4_keeps_late_starts_and_unusual_time_bases(tmp_path: Path) -> None:
    """Frames that start late, at uneven steps of 1/30000 s, over three segments."""
    pts = [90007, 91008, 93010, 93511, 97000, 97002, 98003, 99004, 100005, 140000, 140500, 141001]
    source = make.video(
        tmp_path / "in.mp4", frames=len(pts), pts=pts, time_base=Fraction(1, 30000), options={"crf": "10", "bf": "2"}
    )
    enlarge(source, tmp_path / "out.mp4")
    before, after = read(source), read(tmp_path / "out.mp4")
    assert after.pts == before.pts
    with av.open(str(tmp_path / "out.mp4")) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    dts = [p.dts or 0 for p in packets]
    assert dts == sorted(set(dts))
    assert all((p.dts or 0) <= (p.pts or 0) for p in packets)


@pytest.mark.parametrize(("suffix", "codec"), [(".ts", "h264"), (".mkv", "ffv1"), (".mp4", "h264"), (".mov", "prores")])
def test_wrapped_timestamps_keep_all_frames_in_sync(tmp_path: Path, suffix: str, codec: str) -> None:
    late = ["-output_ts_offset", "95442.2", "-mpegts_copyts", "1"]  # 2^33 ticks are 95443.7 s
    picture = make.video(tmp_path / "picture.mp4", frames=10)
    source = tmp_path / "in.ts"
    make.ffmpeg("-i", picture, *tones(1, 0.4), "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "ac3", *late, source)
    output = tmp_path / f"out{suffix}"
    warnings = enlarge(source, output, codec=codec)
    before, after = read(source), read(output)
    assert before.pts[0] < 0
    assert any("cannot hold negative times" in line for line in warnings)
    shift = after.pts[0] - before.pts[0]
    assert all(abs(b + shift - a) < Fraction(1, 500) for b, a in zip(before.pts, after.pts, strict=True))
    old, new = (film.of("audio")[0]["packets"] for film in (before, after))
    assert [data for _, data in new] == [data for _, data in old]
    assert all(abs(b + shift - a) < Fraction(1, 500) for (b, _), (a, _) in zip(old, new, strict=True))


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "av1"), (".mp4", "vp9"), (".mkv", "av1"), (".mov", "prores"), (".mkv", "ffv1")]
)
def test_sample_aspect_ratio_is_kept_for_codecs_that_cannot_store_it(tmp_path: Path, suffix: str, codec: str) -> None:
    source = make.video(tmp_path / "in.mkv", frames=2, sar=Fraction(16, 11))
    enlarge(source, tmp_path / f"out{suffix}", codec=codec)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 11)


def test_stale_tags_are_not_copied(mp4: Path, tmp_path: Path) -> None:
    make.ffmpeg("-i", mp4, "-map", "0:v:0", "-c", "copy", "-metadata", "MAJOR_BRAND=isom", tmp_path / "in.mkv")
    warnings = enlarge(tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert not any("cannot hold these tags" in line for line in warnings)
    enlarge(tmp_path / "in.mkv", tmp_path / "out.mkv")
    assert "MAJOR_BRAND" not in read(tmp_path / "out.mkv").tags


def test_avi_drops_a_second_video_with_a_warning(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "picture.mp4", frames=4)
    make.ffmpeg("-i", picture, "-i", picture, "-map", "0", "-map", "1", "-c", "copy", tmp_path / "in.mkv")
    assert any("stream 1 (video, h264): left out" in line for line in enlarge(tmp_path / "in.mkv", tmp_path / "o.avi"))


def test_converted_subtitles_keep_their_text(mkv: Path, mp4: Path, tmp_path: Path) -> None:
    warnings = enlarge(mkv, tmp_path / "out.mp4")
    assert [line for line in warnings if "styling" in line]
    text = make.ffmpeg("-i", tmp_path / "out.mp4", "-map", "0:s:0", "-f", "srt", "-")
    assert "Hello" in text
    assert "00:00:00,400 --> 00:00:00,600" in text
    assert "Slanted" in make.ffmpeg("-i", tmp_path / "out.mp4", "-map", "0:s:1", "-f", "srt", "-")
    assert any("attachment" in line for line in warnings)
    warnings = enlarge(mp4, tmp_path / "out.mkv")
    text = make.ffmpeg("-i", tmp_path / "out.mkv", "-map", "0:s:0", "-f", "srt", "-")
    assert "00:00:00,100 --> 00:00:00,300\nHello" in text
    assert len(read(tmp_path / "out.mkv").of("cover")) == 1
    assert probe(tmp_path / "out.mkv").rotation == ROTATED


def test_pcm_becomes_alac_without_loss_in_mp4(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=8), *tones(1, 0.32), "-c:v", "copy", "-c:a", "pcm_s24le",
                source)  # fmt: skip
    warnings = enlarge(source, tmp_path / "out.mp4")
    assert [line for line in warnings if "alac" in line]
    samples = [
        make.ffmpeg("-i", path, "-map", "0:a", "-c:a", "pcm_s24le", "-f", "hash", "-")
        for path in (source, tmp_path / "out.mp4")
    ]
    assert samples[0] == samples[1]


@pytest.mark.parametrize(
    ("name", "picture", "sound"),
    [
        ("disc.m2ts", "libx264", "pcm_bluray"),
        ("disc.vob", "mpeg2video", "pcm_dvd"),
        ("old.mov", "mpeg4", "adpcm_ima_qt"),
    ],
)
def test_sound_unknown_to_matroska_becomes_flac(name: str, picture: str, sound: str, tmp_path: Path) -> None:
    source, output = tmp_path / name, tmp_path / "out.mkv"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=8), *tones(1, 0.32), "-c:v", picture, "-c:a", sound,
                "-ac", "2", "-ar", "48000", source)  # fmt: skip
    assert [line for line in enlarge(source, output) if f"{sound}): converted to flac, which is lossless" in line]
    samples = [
        make.ffmpeg("-i", path, "-map", "0:a", "-c:a", "pcm_s16le", "-f", "hash", "-") for path in (source, output)
    ]
    assert samples[0] == samples[1]


def test_floating_point_sound_is_not_called_lossless_in_flac(tmp_path: Path) -> None:
    source, output = tmp_path / "in.mov", tmp_path / "out.mkv"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=8), *tones(1, 0.32), "-c:v", "copy", "-c:a", "pcm_f32be",
                source)  # fmt: skip
    assert [line for line in enlarge(source, output) if "converted to flac, its samples rounded to 24 bits" in line]
    samples = [
        make.ffmpeg("-i", path, "-map", "0:a", "-c:a", "pcm_s16le", "-f", "hash", "-") for path in (source, output)
    ]
    assert samples[0] == samples[1]


def test_empty_audio_tracks_are_left_out(tmp_path: Path) -> None:
    whole, source = tmp_path / "whole.ts", tmp_path / "in.ts"
    make.ffmpeg("-i", make.video(tmp_path / "p.mp4", frames=8), *tones(2, 0.32), "-map", "0", "-map", "1", "-map", "2",
                "-c:v", "copy", "-c:a", "mp2", whole)  # fmt: skip
    cells = [whole.read_bytes()[i : i + 188] for i in range(0, whole.stat().st_size, 188)]
    source.write_bytes(b"".join(cell for cell in cells if (cell[1] & 0x1F) << 8 | cell[2] != 0x102))
    for name in ("out.mkv", "out.ts"):
        warnings = enlarge(source, tmp_path / name)
        assert [line for line in warnings if "is empty, or begins only midway: left out" in line]
        assert [s.kind for s in probe(tmp_path / name).streams] == ["audio"]


def test_sound_is_checked_before_upscaling(mkv: Path) -> None:
    info = probe(mkv)
    try_sound(info, Path("x.mkv"))
    mistaken = replace(info, streams=tuple(replace(s, codec="opus") for s in info.streams if s.kind == "audio"))
    with pytest.raises(UsageError, match=r"\.webm cannot hold the sound of .*: Only VP8 or VP9"):
        try_sound(mistaken, Path("x.webm"))


def test_unsupported_sound_is_refused_early(mp4: Path, mkv: Path) -> None:
    with pytest.raises(UsageError, match=r"\.webm cannot hold stream 1 \(audio, aac, eng\)") as refused:
        check_container(probe(mp4), Path("x.webm"))
    assert refused.value.reason is Reason.SOUND_NOT_HELD and str(refused.value.data["output"]).endswith(".mkv")
    with pytest.raises(UsageError, match="flac"):
        check_container(probe(mkv), Path("x.avi"))
    assert check_container(probe(mkv), Path("x.mkv")) == []


def test_preview_starts_at_zero_in_sync(mkv: Path, tmp_path: Path) -> None:
    info = probe(mkv)
    output = tmp_path / "out.mkv"
    settings = choose_settings(info, output, width=128, height=96, preset="ultrafast")
    with av.open(str(mkv)) as container:
        frames = [f for f in container.decode(video=0) if f.pts is not None and 0.3 <= f.time < 0.6]
    path = tmp_path / "0.segment"
    with SegmentWriter(path, info, settings) as writer:
        for frame in frames:
            rgb = frame.to_ndarray(format="rgb24").repeat(2, 0).repeat(2, 1)
            writer.write(Frame(0, rgb, frame.pts or 0, frame.duration or 0))
    warnings: list[str] = []
    assemble([path], info, settings, output, start=0.3, end=0.6, warn=warnings.append)
    before, after = read(mkv), read(output)
    assert warnings == []
    assert after.pts == [Fraction(f.pts or 0, 1000) - Fraction(3, 10) for f in frames]
    for old, new in zip(before.of("audio"), after.of("audio"), strict=True):
        times = {data: time for time, data in old["packets"]}
        assert new["packets"]
        assert {round((times[data] - time) * 1000) for time, data in new["packets"]} == {300}
        assert min(time for time, _ in new["packets"]) < Fraction(5, 100)
        assert max(time for time, _ in new["packets"]) < Fraction(35, 100)
    assert [time for time, _ in after.of("subtitle")[0]["packets"]] == [Fraction(1, 10)]
    assert after.chapters == []


def test_a_missing_frame_fails_and_leaves_nothing(mp4: Path, tmp_path: Path) -> None:
    info = probe(mp4)
    output = tmp_path / "out.mp4"
    settings = choose_settings(info, output, width=128, height=96, preset="ultrafast")
    paths, pts = segments_of(info, settings, tmp_path / "work")
    with pytest.raises(OutputError, match="8 frames instead of 20"):
        assemble(paths[:-1], info, settings, output, pts=pts, warn=lambda line: None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_cancelling_leaves_nothing(mp4: Path, tmp_path: Path) -> None:
    info = probe(mp4)
    output = tmp_path / "out.mp4"
    settings = choose_settings(info, output, width=128, height=96, preset="ultrafast")
    paths, pts = segments_of(info, settings, tmp_path / "work")
    with pytest.raises(InterruptedJobError):
        assemble(paths, info, settings, output, pts=pts, warn=lambda line: None, cancelled=lambda: True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_full_disk_gives_one_line_and_leaves_no_file(mp4: Path, tmp_path: Path) -> None:
    info = probe(mp4)
    output = tmp_path / "out.mp4"
    settings = choose_settings(info, output, width=128, height=96, preset="ultrafast")
    paths, pts = segments_of(info, settings, tmp_path / "work")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(OutputError, match="larger than this system") as caught:
            assemble(paths, info, settings, output, pts=pts, warn=lambda line: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["work"]


def test_full_disk_is_named_as_the_reason(mp4: Path, tmp_path: Path) -> None:
    info = probe(mp4)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not possible here")
    try:
        settings = choose_settings(info, disk / "out.mp4", width=128, height=96, preset="ultrafast")
        paths, pts = segments_of(info, settings, tmp_path / "work")
        with pytest.raises(OutputError, match="the disk is full"):
            assemble(paths, info, settings, disk / "out.mp4", pts=pts, warn=lambda line: None)
        assert list(disk.iterdir()) == []
        with pytest.raises(OutputError, match="segment: the disk is full"):
            segments_of(info, settings, disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_unwritable_folder_gives_one_line(mp4: Path, tmp_path: Path) -> None:
    info = probe(mp4)
    settings = choose_settings(info, tmp_path / "out.mp4", width=128, height=96, preset="ultrafast")
    paths, pts = segments_of(info, settings, tmp_path / "work")
    with pytest.raises(OutputError, match=r"cannot write .*: No such file or directory"):
        assemble(paths, info, settings, tmp_path / "gone" / "out.mp4", pts=pts, warn=lambda line: None)


def reordered(path: Path, codec: str, *, sound: str = "libmp3lame") -> Path:
    """25 frames whose coding order is not their showing order, and sound."""
    make.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-f", "lavfi", "-i", "sine", "-t", "1"),
        *("-c:v", codec, "-bf", "2", "-c:a", sound, path),
    )
    return path


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
@pytest.mark.parametrize(("name", "of"), [("in.avi", "mpeg4"), ("in.mkv", "libx264"), ("in.mp4", "mpeg4")])
def test_avi_result_keeps_sound_in_sync(tmp_path: Path, name: str, of: str, codec: str) -> None:
    source, output = reordered(tmp_path / name, of), tmp_path / "out.avi"
    assert enlarge(source, output, codec=codec) == []
    seen = [make.second_opinion(file) for file in (source, output)]
    ticks = []
    for file in (source, output):
        with av.open(str(file)) as container:
            ticks.append(Fraction(container.streams.video[0].time_base or 0))
    times = [[time * tick for time, _ in frames] for frames, tick in zip(seen, ticks, strict=True)]
    sound = [float(read(file).of("audio")[0]["packets"][0][0]) for file in (source, output)]
    assert len(times[1]) == len(times[0]) == 25
    assert all(abs(new - old) <= Fraction(1, 50) for old, new in zip(*times, strict=True))
    assert abs(sound[1] - sound[0]) < 0.03


def test_h264_in_avi_starts_when_a_second_decoder_says(tmp_path: Path) -> None:
    for name, options in (("plain.avi", ["-bf", "0"]), ("reordered.avi", ["-bf", "2"])):
        make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-t", "0.4", "-c:v", "libx264", *options,
                    tmp_path / name)  # fmt: skip
        found = [frame.pts for frame in decode(probe(tmp_path / name))]
        assert found == [time for time, _ in make.second_opinion(tmp_path / name)]


@pytest.mark.parametrize("late", [1, 2, 7, 50])
def test_avi_result_keeps_a_late_video_start(tmp_path: Path, late: int) -> None:
    picture = make.video(tmp_path / "p.mkv", frames=12, pts=range(late, late + 12))
    make.ffmpeg("-i", picture, *tones(1, 3), "-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "libmp3lame",
                "-copyts", tmp_path / "in.mkv")  # fmt: skip
    before = read(tmp_path / "in.mkv").pts
    assert before[0] == Fraction(late, 25)
    enlarge(tmp_path / "in.mkv", tmp_path / "out.avi")
    seen = [time for time, _ in make.second_opinion(tmp_path / "out.avi")]
    assert seen == list(range(late, late + 12))


COMMENTS = ["his own; with = and ;", "upscaled by somebody", "zwei Zeilen\nund ümläute", " "]


@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize(("name", "suffix"), [
    ("in.mkv", ".mkv"), ("in.mkv", ".mp4"), ("in.mp4", ".mkv"), ("in.mp4", ".mp4"), ("in.mp4", ".mov"),
    ("in.mkv", ".webm"), ("in.avi", ".avi"), ("in.mkv", ".avi"),
])  # fmt: skip
def test_comments_are_unchanged_and_results_are_recognised(
    tmp_path: Path, name: str, suffix: str, comment: str
) -> None:
    picture = make.video(tmp_path / "p.mp4", frames=3, options={"crf": "20", "bf": "0"})
    make.ffmpeg("-i", picture, "-c", "copy", "-metadata", f"comment={comment}", tmp_path / name)
    before = {key.lower(): value for key, value in read(tmp_path / name).tags.items()}["comment"]
    output = tmp_path / f"out{suffix}"
    enlarge(tmp_path / name, output, tags={MADE_TAG: f"{MADE_BY_VSR} 1, tiny"})
    after = {key.lower(): value for key, value in read(output).tags.items()}
    assert after["comment"] == before
    assert batch.is_result(output) and not batch.is_result(tmp_path / name)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm", ".avi"])
def test_results_without_a_comment_are_recognised_and_get_none(tmp_path: Path, suffix: str) -> None:
    source, output = make.video(tmp_path / "p.mkv", frames=3), tmp_path / f"out{suffix}"
    enlarge(source, output, tags={MADE_TAG: f"{MADE_BY_VSR} 1, tiny"})
    assert batch.is_result(output)
    if suffix != ".mov":
        assert "comment" not in {key.lower() for key in read(output).tags}


@pytest.mark.parametrize(("kind", "suffix"), [("audio", ".mov"), ("audio", ".mkv"), ("video", ".mov")])
@pytest.mark.parametrize("output", [".mkv", ".mp4"])
def test_undecodable_tracks_are_left_out_with_a_warning(tmp_path: Path, kind: str, suffix: str, output: str) -> None:
    source = without_decoder(tmp_path, kind, suffix)
    notes = enlarge(source, tmp_path / f"out{output}")
    assert len([note for note in notes if f"stream 1 ({kind}, unknown" in note and "left out" in note]) == 1
    made = read(tmp_path / f"out{output}")
    assert (len(made.pts), len(made.streams)) == (10, 1)
