"""`vsr preview` writes clips, pictures of one moment, and a page that needs nothing else."""

import base64
import json
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest

from tests.command import vsr
from tests.compare.test_align import number
from tests.evaluate.make import clip
from tests.media import make
from vsrcli.compare.page import Picture, slider_page
from vsrcli.media.photo.images import load_picture
from vsrcli.media.read.probe import probe
from vsrcli.media.write.made import offset_in_source
from vsrcli.pipeline.ahead.preview import span


class Page(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: dict[str, bytes] = {}
        self.choices = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.choices += about.get("type") == "radio"
        if tag == "img":
            head, _, data = str(about["src"]).partition(",")
            assert head == "data:image/jpeg;base64"
            self.images[str(about["alt"])] = base64.b64decode(data)
        elif tag in ("link", "iframe", "object") or "href" in about or "src" in about:
            self.links.append(tag)


def picture(data: bytes, folder: Path) -> np.ndarray:
    file = folder / "picture.jpg"
    file.write_bytes(data)
    return load_picture(file).to_ndarray(format="rgb24")


def test_preview_of_two_models_has_a_clip_each_and_one_page(tmp_path: Path, tiny_model: str) -> None:
    source = make.video(tmp_path / "film <b>.mp4", frames=20)
    other = tmp_path / "other.safetensors"
    other.write_bytes(Path(tiny_model).read_bytes())
    models = ["-m", tiny_model, "-m", other, "-m", tiny_model]
    done = vsr("preview", source, "--at", "0.4", "--seconds", "0.2", *models, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    folder = tmp_path / "film <b>_preview"
    assert [Path(one["clip"]).name for one in told["models"]] == [
        "film <b>.tiny.safetensors.mp4",
        "film <b>.other.safetensors.mp4",
    ]
    text = (folder / "preview.html").read_text(encoding="utf-8")
    times = re.findall(r"the whole about (.+)$", done.stderr, re.MULTILINE)
    assert len(times) == 2 and all(f"so the whole takes about {time} here" in text for time in times)
    for one in told["models"]:
        assert one["frames"] == 5 and one["whole_seconds"] > 0
        assert offset_in_source(Path(one["clip"])) == pytest.approx(0.4)
        with av.open(one["picture"]) as container:
            assert container.streams.video[0].width > 2 * 256
    page = Page(text)
    assert not page.links and page.choices == 2 and "://" not in re.sub(r"base64,[^\"]*", "", text)
    assert list(page.images) == ["bicubic", "tiny.safetensors", "other.safetensors"]
    before, after, _ = (picture(data, tmp_path) for data in page.images.values())
    assert before.shape == after.shape == (192, 256, 3)
    assert number(before) == number(after) == 12  # the third of frames 10 to 14
    assert "<h1>film &lt;b&gt;.mp4: preview</h1>" in text
    assert "ends at" not in done.stderr
    again = vsr("preview", source, "--at", "0.4", "--seconds", "0.2", *models)
    assert again.returncode == 2 and "preview.html exists: add -y" in again.stderr
    late = vsr("preview", source, "--at", "9", "-m", tiny_model, "-y")
    assert late.returncode == 2 and "the film ends at 0.80 s" in late.stderr
    assert vsr("preview", source, "--at", "9", "-m", tiny_model, "-o", tmp_path / "new").returncode == 2
    assert not (tmp_path / "new").exists()


def test_a_note_about_the_source_is_told_once_for_all_models(tmp_path: Path, tiny_model: str) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(Path(tiny_model).read_bytes())
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x24:r=25", "-t", "0.2", tmp_path / "a.mpg")
    done = vsr("preview", tmp_path / "a.mpg", "-m", tiny_model, "-m", other, "--rate", "30", "--seconds", "0.1")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "nothing" in line or "is not written" in line]
    assert lines == [
        ".mpg is not written: the result is .mkv, which holds everything",
        "warning: the frame rate changes nothing: it is for image sequences, a video keeps its own times",
    ]


def test_a_preview_that_the_end_cuts_short_says_so(tmp_path: Path, tiny_model: str) -> None:
    source = make.video(tmp_path / "a.mp4", frames=6)
    done = vsr("preview", source, "--at", "0.04", "--seconds", "9", "-m", tiny_model)
    assert done.returncode == 0 and f"{source} ends at 0.2 s: the preview has 0.2 seconds" in done.stderr, done.stderr


def test_pictures_of_a_tape_have_square_pixels(tmp_path: Path, tiny_model: str) -> None:
    source = make.video(tmp_path / "tape.mkv", frames=6, sar=Fraction(3, 2))
    done = vsr("preview", source, "--seconds", "0.1", "-m", tiny_model, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert load_picture(Path(told["models"][0]["picture"])).width == 2 * 384 + 2
    text = Path(told["page"]).read_text(encoding="utf-8")
    shapes = [picture(data, tmp_path).shape for data in Page(text).images.values()]
    assert shapes == [(192, 384, 3)] * 2 and "--wide: 384; --high: 192" in text


def _barred(number_: int, width: int, height: int) -> np.ndarray:
    """A pattern between black bars of 8 lines."""
    whole = make.pattern(number_, width, height)
    whole[:8] = whole[-8:] = 16
    return whole


@pytest.mark.parametrize(
    ("how", "size"),
    [
        (("--square-pixels", "--height", "96"), (192, 96)),
        (("--crop", "64:32:0:8", "--square-pixels"), (384, 128)),
        (("--crop", "auto"), (384, 128)),
        (("--fit", "96x96"), (96, 48)),
        (("--fit", "96x96", "--pad"), (96, 96)),
        (("--max-height", "96"), (192, 96)),
    ],
)
def test_the_picture_before_is_what_upscale_would_read(
    tmp_path: Path, tiny_model: str, how: tuple[str, ...], size: tuple[int, int]
) -> None:
    source = make.video(tmp_path / "tape.mkv", frames=6, sar=Fraction(3, 2), draw=_barred)
    done = vsr("preview", source, "--seconds", "0.1", "-m", tiny_model, *how)
    assert done.returncode == 0, done.stderr
    images = Page((tmp_path / "tape_preview" / "preview.html").read_text(encoding="utf-8")).images.values()
    before, after = (picture(data, tmp_path).astype(int) for data in images)
    assert before.shape == after.shape == (size[1], size[0], 3)
    dark = [float(np.mean(one.mean((1, 2)) < 30)) for one in (before, after)]
    assert dark[0] == pytest.approx(dark[1], abs=0.05) and (dark[0] > 0.2) == ("--crop" not in how)


def test_contradicting_sizes_are_refused_before_a_preview_is_begun(tmp_path: Path) -> None:
    source = make.video(tmp_path / "a.mp4", frames=3)
    done = vsr("preview", source, "--height", "96", "--fit", "96x96")
    assert done.returncode == 2 and not (tmp_path / "a_preview").exists()


def test_preview_starts_after_a_third_by_default(tmp_path: Path) -> None:
    info = probe(make.video(tmp_path / "a.mp4", frames=75))
    assert list(span(info, None, 1.0)) == pytest.approx([1.0, 2.0])
    assert list(span(info, None, 2.5)) == pytest.approx([0.5, 3.0])
    assert span(info, None, 60.0)[0] == 0
    assert span(info, 2.0, 0.5) == (2.0, 2.5)


def test_preview_takes_photographs_and_sequences(tmp_path: Path, tiny_model: str) -> None:
    frames = clip(tmp_path / "frames", frames=4, width=64, height=48)
    done = vsr("preview", frames, "-m", tiny_model, "--seconds", "0.08", "-q")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "frames_preview" / "frames.tiny.safetensors.mp4").exists()
    one = sorted(frames.iterdir())[0]
    done = vsr("preview", one, "-m", tiny_model, "-o", tmp_path / "out", "-q")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "preview.html").exists()
    assert load_picture(tmp_path / "out" / f"{one.stem}.tiny.safetensors.png").width == 256
    assert vsr("preview", tmp_path / "no.mp4").returncode == 1


def test_a_page_escapes_special_characters_in_names() -> None:
    name = "</script><img src=x onerror=alert(1)>@AFTER@"
    one = Picture(b"x", ".jpg", name, name)
    page = Page(slider_page(name, name, one, [one], shape=(64, 48)))
    assert set(page.images) == {name} and page.choices == 1
