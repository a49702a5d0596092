"""Encoders by name: each either encodes as asked, or is refused in one line before work begins."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from tests.pipeline.test_run import pictures, upscale
from tests.told import told
from vsrcli.errors import UsageError
from vsrcli.media.containers import CannotHoldError, check_container, container_of, place_streams
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.probe import probe
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode_settings import EncodeSettings, encoder_options
from vsrcli.media.write.encoders import all_encoders, holds, is_hardware, read_options, resolve
from vsrcli.media.write.trial import try_encoder
from vsrcli.pipeline.jobs.job import with_sound


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    return probe(make.video(tmp_path_factory.mktemp("in") / "a.mkv", frames=3, width=64, height=48))


@pytest.fixture(scope="module")
def upscaled(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> tuple[Path, np.ndarray]:
    """A film, and its frames upscaled without loss."""
    folder = tmp_path_factory.mktemp("truth")
    film = make.video(folder / "in.mkv", frames=6, width=64, height=48)
    return film, pictures(upscale(film, folder / "truth.mkv", tiny_model, codec="ffv1").output).astype(float)


def chosen(info: VideoInfo, output: str, **asked: object) -> EncodeSettings:
    return choose_settings(info, Path(output), width=64, height=48, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "codec", "encoder"),
    [
        ("h265", "hevc", "libx265"),
        ("X265", "hevc", "libx265"),
        ("libx265", "hevc", "libx265"),
        ("x264", "h264", "libx264"),
        ("avc", "h264", "libx264"),
        ("DNxHD", "dnxhr", "dnxhd"),
        ("mpeg4", "mpeg4", "mpeg4"),
        ("hevc_nvenc", "hevc", "hevc_nvenc"),
        ("av1", "av1", "libsvtav1"),
    ],
)
def test_codec_names_and_synonyms_are_resolved(name: str, codec: str, encoder: str) -> None:
    assert resolve(name) == (codec, encoder)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("h246", " h264 "),
        ("libx266", "libx26"),
        ("aac", "one of h264"),
        ("", "one of h264"),
        ("nvenc", "_nvenc"),
    ],
)
def test_unknown_codec_names_are_refused_with_suggestions(name: str, advice: str) -> None:
    with pytest.raises(UsageError, match="unknown codec") as refused:
        resolve(name)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("codec", "output"),
    [
        ("mpeg4", "a.mp4"),
        ("mpeg2video", "a.ts"),
        ("mpeg2video", "a.mkv"),
        ("libvpx", "a.webm"),
        ("mjpeg", "a.mov"),
        ("huffyuv", "a.avi"),
        ("utvideo", "a.avi"),
        ("libx264rgb", "a.mkv"),
        ("prores_aw", "a.mov"),
    ],
)
def test_other_ffmpeg_encoders_write_complete_files(
    tmp_path: Path, upscaled: tuple[Path, np.ndarray], tiny_model: str, codec: str, output: str
) -> None:
    film, truth = upscaled
    made = upscale(film, tmp_path / output, tiny_model, codec=codec).output
    error = ((pictures(made) - truth) ** 2).mean()
    with av.open(str(made)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == resolve(codec)[0]
    assert len(truth) == 6 and error < 60


def test_every_software_encoder_opens_or_is_refused_in_one_line(source: VideoInfo) -> None:
    opened = []
    for name, codec in all_encoders().items():
        suffix = next((s for s in (".mkv", ".mov", ".avi") if holds(container_of(Path(f"a{s}")), codec)), ".mkv")
        try:
            opened.append(chosen(source, f"a{suffix}", codec=name).encoder)
        except UsageError as refused:
            assert "\n" not in str(refused), name
    assert {"mpeg4", "mpeg2video", "libx265", "mjpeg", "libvpx", "utvideo", "libx264rgb"} <= set(opened)


def test_a_missing_hardware_encoder_falls_back_with_a_note(source: VideoInfo) -> None:
    name = next(name for name in ("h264_amf", "h264_qsv", "h264_nvenc", "h264_videotoolbox") if name in all_encoders())
    try:
        try_encoder(source, EncodeSettings("h264", name, 20, None, "nv12", 64, 48))
    except UsageError:
        settings = chosen(source, "a.mp4", codec=name)
        assert settings.encoder == "libx264" and settings.crf == 16
        assert settings.notes[-1].startswith(f"{name} does not open here") and "\n" not in settings.notes[-1]
        with told(UsageError, f"{name} does not open here.*: without --crf, .*, libx264 takes its place"):
            chosen(source, "a.mp4", codec=name, crf=23)
    else:
        assert chosen(source, "a.mp4", codec=name).encoder == name and is_hardware(name)


@pytest.mark.parametrize("name", ["hevc_videotoolbox", "HEVC_MF", "hevc_vaapi"])
def test_an_encoder_of_another_system_falls_back_by_the_same_rule(source: VideoInfo, name: str) -> None:
    absent = f"{name.lower()} is not in this build of FFmpeg"
    assert name.lower() not in all_encoders()
    settings = chosen(source, "a.mp4", codec=name, bitrate=1_000_000)
    assert (settings.encoder, settings.bitrate) == ("libx265", 1_000_000)
    assert settings.notes[-1] == f"{absent}: libx265 takes its place"
    for terms in ({"encoder_opt": ("allow_sw=1",)}, {"preset": "p7"}, {"pix_fmt": "nv12"}):
        with told(UsageError, f"{absent}: without --crf, .*, libx265 takes its place"):
            chosen(source, "a.mp4", codec=name, **terms)
    with pytest.raises(UsageError, match=r"mpeg2_vaapi is not in this build of FFmpeg$"):
        chosen(source, "a.mkv", codec="mpeg2_vaapi")


def test_a_profile_of_more_bits_than_the_pixel_format_has_is_told(source: VideoInfo) -> None:
    asked = {"codec": "hevc", "encoder_opt": ("profile=main10",)}
    line = "the profile main10 changes nothing: the pixel format, yuv420p, has 8 bits"
    assert chosen(source, "a.mkv", **asked).notes == (line,)
    assert chosen(source, "a.mkv", **asked, pix_fmt="yuv420p10le").notes == ()


def test_parameters_of_an_encoder_that_are_given_apart_are_all_taken() -> None:
    asked = ("x265-params=aq-mode=3", "g=48", "x265-params=psy-rd=2", "g=24")
    assert read_options(asked) == {"x265-params": "aq-mode=3:psy-rd=2", "g": "24"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"codec": "h264", "encoder_opt": ("nonsense=1",)}, "libx264 has no option nonsense"),
        ({"codec": "h264", "encoder_opt": ("x264-params=nonsense=1",)}, r"libx264 has no option nonsense = 1$"),
        ({"codec": "hevc", "encoder_opt": ("x265-params=nonsense=1",)}, r"libx265 has no option nonsense$"),
        ({"codec": "hevc", "encoder_opt": ("aq-mode=3",)}, "no option aq-mode: .* is written x265-params=KEY=VALUE"),
        ({"codec": "av1", "encoder_opt": ("film-grain=8",)}, "no option film-grain: .* is written svtav1-params="),
        ({"codec": "h264", "encoder_opt": ("refs=many",)}, "libx264 does not open here"),
        ({"codec": "h264", "encoder_opt": ("refs",)}, "write it like key=value"),
        ({"codec": "h264", "tune": "loud"}, "libx264 has no tune loud"),
        ({"codec": "mpeg4", "tune": "film"}, "mpeg4 has no option tune$"),
        ({"codec": "mpeg4", "preset": "slow"}, "mpeg4 has no presets"),
        ({"codec": "mpeg4", "crf": 40}, "use 0 .best. to 31"),
        ({"codec": "utvideo", "crf": 4}, "utvideo has no crf"),
        ({"codec": "mpeg4", "pix_fmt": "yuv444p"}, "mpeg4 cannot encode yuv444p"),
        ({"codec": "dnxhr"}, "dnxhd does not open here: Input dimensions too small"),
    ],
)
def test_unknown_encoder_options_are_refused_early(source: VideoInfo, asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        chosen(source, {"dnxhr": "a.mov", "utvideo": "a.avi"}.get(str(asked["codec"]), "a.mkv"), **asked)


def test_codecs_that_no_container_holds_are_refused(source: VideoInfo) -> None:
    with pytest.raises(UsageError, match=r"\.mp4 cannot hold utvideo"):
        chosen(source, "a.mp4", codec="utvideo")
    with pytest.raises(UsageError, match="no container that vsr writes holds"):
        chosen(source, "a.mkv", codec="a64multi")


def test_user_options_are_merged_with_the_default_options(source: VideoInfo) -> None:
    settings = chosen(source, "a.mkv", codec="hevc", tune="grain", encoder_opt=("x265-params=aq-mode=3", "g=12"))
    options = encoder_options(source, settings)
    assert options["x265-params"] == "log-level=error:asm=0:aq-mode=3"  # of a small picture
    assert (options["tune"], options["g"], options["crf"]) == ("grain", "12", "18")


@pytest.mark.parametrize("audio", ["aac", "flac", "opus", "pcm", "none"])
def test_sound_is_converted_as_requested(tmp_path: Path, tiny_model: str, audio: str) -> None:
    film = tmp_path / "in.mkv"
    sound = ["-f", "lavfi", "-i", "sine=frequency=500:duration=0.4,aformat=channel_layouts=5.1(side)"]
    picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.4"]
    make.ffmpeg(*picture, *sound, "-c:v", "ffv1", "-c:a", "vorbis", "-strict", "-2", "-ac", "2", film)
    with pytest.raises(CannotHoldError):
        place_streams(with_sound(probe(film), "copy"), tmp_path / "out.mov")
    output = tmp_path / ("out.mov" if audio == "pcm" else "out.mp4")
    made = upscale(film, output, tiny_model, audio=audio, codec="h264").output
    with av.open(str(made)) as container:
        names = [stream.codec_context.codec.canonical_name for stream in container.streams.audio]
        assert names == {"none": [], "pcm": ["pcm_s24le"]}.get(audio, [audio])
        lengths = [float(s.duration * s.time_base) for s in container.streams.audio if s.duration and s.time_base]
        assert all(abs(length - 0.4) < 0.06 for length in lengths)
        first = next(container.demux(video=0))
        assert (first.pts or 0) * first.time_base < 0.03


def test_sound_codecs_that_the_container_cannot_hold_are_refused(source: VideoInfo, tmp_path: Path) -> None:
    film = make.rich(tmp_path / "rich.mkv", frames=3)
    with pytest.raises(CannotHoldError, match=r"\.avi cannot hold opus"):
        check_container(with_sound(probe(film), "opus"), tmp_path / "out.avi")
