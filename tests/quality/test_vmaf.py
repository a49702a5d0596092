"""VMAF by the real ffmpeg, on arrays, image lists and video files."""

from pathlib import Path

import av
import numpy as np
import pytest

from vsrcli.errors import InputError
from vsrcli.quality.vmaf import vmaf


def moving(frames: int = 4) -> np.ndarray:
    """Return a moving smooth texture (t, 96, 128, 3), uint8."""
    y, x = np.mgrid[:96, :128]
    clip = [
        np.stack([np.sin((x + 3 * t) / (4 + c)) + np.cos(y / (5 + c)) for c in range(3)], -1) for t in range(frames)
    ]
    return ((np.stack(clip) + 2) * 63).astype(np.uint8)


def write(path: Path, rgb: np.ndarray, codec: str, pix_fmt: str, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = rgb.shape[1], rgb.shape[2], pix_fmt
        for frame in rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_identical_clips_score_high_and_noise_scores_low() -> None:
    clip = moving()
    noise = np.random.default_rng(0).normal(0, 40, clip.shape)
    same = vmaf(clip, clip)
    worse = vmaf(np.clip(clip + noise, 0, 255).astype(np.uint8), clip)
    assert len(same.frames) == 4 and same.mean > 95
    assert worse.mean < same.mean - 15
    assert worse.mean == pytest.approx(sum(worse.frames) / 4)


def test_images_score_as_the_same_frames_in_memory(tmp_path: Path) -> None:
    clip = moving()
    dim = clip // 2
    files = [write(tmp_path / f"it's {i}.png", frame[None], "png", "rgb24") for i, frame in enumerate(dim)]
    assert vmaf(files, clip).frames == pytest.approx(vmaf(dim, clip).frames, abs=1e-4)


def test_video_files_are_paired_by_order_whatever_their_timestamps(tmp_path: Path) -> None:
    clip = moving(6)
    good = write(tmp_path / "good.mkv", clip, "libx264", "yuv420p", crf="10")
    bad = write(tmp_path / "bad.mp4", clip, "libx264", "yuv420p", crf="45")
    assert len(vmaf(good, clip).frames) == 6
    assert vmaf(bad, good).mean < vmaf(good, clip).mean


def test_incomparable_clips_are_rejected_in_one_line(tmp_path: Path) -> None:
    clip = moving()
    with pytest.raises(InputError, match="same length, not 3 frames with 4"):
        vmaf(clip[:3], clip)
    with pytest.raises(InputError, match="same size"):
        vmaf(clip[:, :64, :64], clip)
    with pytest.raises(InputError) as caught:
        vmaf(tmp_path / "absent.mp4", clip)
    assert "absent.mp4" in str(caught.value) and "\n" not in str(caught.value)
