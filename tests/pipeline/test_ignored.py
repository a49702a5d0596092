"""Options that change nothing are said, not swallowed."""

from fractions import Fraction
from typing import Any

import pytest

from tests.evaluate.make import clip
from tests.media import make
from tests.toy import Toy
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.probe import probe
from vsrcli.nets.repvsr import RepVSR
from vsrcli.pipeline.jobs.ignored import ignored
from vsrcli.pipeline.options import Options


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    return probe(make.video(tmp_path_factory.mktemp("video") / "a.mp4", frames=2))


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    return probe(clip(tmp_path_factory.mktemp("frames") / "a", frames=2, width=64, height=48))


STREAM = "nothing: net runs frame by frame"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, []),
        ({"window": 5}, [f"the window changes {STREAM}"]),
        ({"window": 5, "lookahead": 2, "horizon": None}, [f"the window, lookahead and horizon change {STREAM}"]),
        ({"propagation": "exact"}, ["exact propagation changes nothing: net sees no future, and is exact as it is"]),
        ({"rate": 30}, ["the frame rate changes nothing: it is for image sequences, a video keeps its own times"]),
        ({"codec": "hevc", "crf": 20, "slow": 2, "fps": "2x", "start": 0.04}, []),
        ({"audio": "aac"}, ["the sound's codec changes nothing: the source has no sound"]),
        ({"audio": "none"}, []),
        ({"deinterlace": "on", "tile": (64, 64), "precision": "fp32"}, []),
    ],
)
def test_options_without_effect_on_a_streaming_net_are_listed(
    video: VideoInfo, options: dict[str, Any], told: list[str]
) -> None:
    assert ignored(Options(**options), video, RepVSR(8, 1), "net", images=False) == told


def test_options_without_effect_on_a_bidirectional_net_are_listed(video: VideoInfo) -> None:
    def said(**options: Any) -> list[str]:
        return ignored(Options(**options), video, Toy(), "net", images=False)

    assert said(window=5, lookahead=2, horizon=None, propagation="exact") == []
    assert said(propagation="clip", window=5) == ["the window changes nothing: whole scenes are taken"]


def test_options_without_effect_on_images_are_listed(frames: VideoInfo) -> None:
    options = Options(rate=Fraction(30), deinterlace="on", crf=20, pix_fmt="yuv444p", codec="hevc")
    assert ignored(options, frames, Toy(), "net", images=True) == [
        "the deinterlacing changes nothing: images are taken as progressive",
        "the codec, crf and pixel format change nothing: the output is images",
    ]


def test_options_of_time_and_sound_without_effect_on_images_are_listed(frames: VideoInfo) -> None:
    def said(info: VideoInfo, *, images: bool, **options: Any) -> list[str]:
        return ignored(Options(**options), info, Toy(), "net", images=images)

    one = probe(frames.images[0])
    times: dict[str, Any] = {"start": 0.0, "rate": 30, "fps": "2x", "slow": 2}
    told = "the start, frame rate and slow motion change nothing: one image has no times"
    assert said(one, images=True, **times) == [told]
    assert said(one, images=False, **times) == []  # in a video they say how long it is shown
    assert said(frames, images=True, slow=2) == ["the slow motion changes nothing: images have no times"]
    written = {"audio": "aac", "tune": "film", "encoder_opt": ("g=2",)}
    told = "the tune, list of encoder options and sound's codec change nothing: the output is images"
    assert said(frames, images=True, **written) == [told]
    assert said(frames, images=True, audio="none") == []
