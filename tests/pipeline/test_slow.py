"""Slow motion: the same frames in more time, the sound as long and at its pitch, subtitles and chapters with them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from tests.pipeline.test_fps import shown
from vsrcli.errors import Remark, UsageError
from vsrcli.media.write.slow import tempo_filter


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.rich(tmp_path_factory.mktemp("slow") / "in.mkv", width=64, height=48, frames=20)


def pitch(path: Path) -> tuple[float, float]:
    """The strongest frequency of the first sound, and its length in seconds."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        samples = np.concatenate([f.to_ndarray().astype(np.float64)[0] for f in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples)), len(samples) / rate


@pytest.mark.parametrize(
    ("ending", "factor"), [(".mkv", 2), pytest.param(".mp4", 3, marks=pytest.mark.slow), (".mov", 1.5)]
)
def test_slow_motion_stretches_frames_sound_subtitles_and_chapters(
    film: Path, tiny_model: str, tmp_path: Path, ending: str, factor: float
) -> None:
    output = tmp_path / f"out{ending}"
    made = vsrcli.upscale(film, output, model=tiny_model, slow=factor, window=10)
    slow, tick = Fraction(factor), Fraction(1, 500)
    old, new = [time for time, _ in shown(film)], [time for time, _ in shown(output)]
    assert len(old) == len(new)
    assert all(abs((b - new[0]) - (a - old[0]) * slow) <= tick for a, b in zip(old, new, strict=True))
    hertz, seconds = pitch(output)
    assert hertz == pytest.approx(440, abs=5) and seconds == pytest.approx(0.8 * factor, abs=0.12)
    assert sum("at its pitch" in line for line in made.warnings if isinstance(line, Remark)) == 2
    with av.open(str(output)) as container:
        assert [round(float(c["end"] * Fraction(str(c["time_base"]))), 2) for c in container.chapters()] == [
            pytest.approx(0.4 * factor), pytest.approx(0.8 * factor)
        ]  # fmt: skip
        assert container.chapters()[0]["metadata"]["title"] == "One"
        texts = [p for p in container.demux(subtitles=0) if p.size > 2 and p.pts is not None]
        assert texts[0].pts is not None and texts[0].duration is not None and texts[0].time_base is not None
        assert float(texts[0].pts * texts[0].time_base) == pytest.approx(0.1 * factor, abs=0.002)
        assert float(texts[0].duration * texts[0].time_base) == pytest.approx(0.4 * factor, abs=0.002)


@pytest.mark.slow
def test_slow_motion_with_new_frames_keeps_the_rate(film: Path, tiny_model: str, tmp_path: Path) -> None:
    vsrcli.upscale(film, tmp_path / "out.mkv", model=tiny_model, slow=2, fps=25, window=10, end=0.4)
    new = [time for time, _ in shown(tmp_path / "out.mkv")]
    assert [round(float(time), 3) for time in new] == [round(n / 25, 3) for n in range(19)]


def test_slow_motion_of_a_part_keeps_its_sound(film: Path, tiny_model: str, tmp_path: Path) -> None:
    vsrcli.upscale(film, tmp_path / "out.mkv", model=tiny_model, slow=2, start=0.2, end=0.6, window=10)
    with av.open(str(tmp_path / "out.mkv")) as container:
        ends = {s.type: 0.0 for s in container.streams}
        for packet in container.demux():
            if packet.pts is not None and packet.time_base is not None:
                ends[packet.stream.type] = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    assert ends["video"] == pytest.approx(0.8, abs=0.01) and ends["audio"] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("slow", ["0.5x", "9", "fast", "x"])
def test_invalid_factors_are_refused(film: Path, tiny_model: str, tmp_path: Path, slow: str) -> None:
    done = vsr("upscale", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--slow", slow)
    assert done.returncode == 2 and "is not a factor" in done.stderr
    with pytest.raises(UsageError, match="not a slow"):
        vsrcli.upscale(film, tmp_path / "out.mkv", model=tiny_model, slow=0.5)


def test_tempo_filters_are_chained_below_half_speed() -> None:
    assert tempo_filter(Fraction(1, 2)) == "atempo=0.5"
    assert tempo_filter(Fraction(1, 5)) == "atempo=0.5,atempo=0.5,atempo=0.8"
