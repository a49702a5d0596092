"""Names of results with fields: what they become, and that no source's name leads out of its folder."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.errors import UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.jobs.templates import filled, is_template
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.batch import is_folder_for, items


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> VideoInfo:
    return probe(make.video(tmp_path_factory.mktemp("in") / "a film.mp4", frames=3, width=32, height=24))


def test_every_field_is_filled(info: VideoInfo) -> None:
    wanted = Path("{folder}/{name}_{model}_{width}x{height}_{scale}{ext}")
    made = filled(wanted, info, Options(), "repvsr.real", 4)
    assert made == info.path.parent / "a film_repvsr.real_128x96_4.mp4"
    assert filled(Path("out/{name}_{height}p.mkv"), info, Options(height=1080), "m", 4) == Path("out/a film_1080p.mkv")
    turned = replace(info, rotation=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    assert filled(Path("{width}x{height}.mkv"), turned, Options(), "m", 4) == Path("96x128.mkv")


def test_braces_that_are_doubled_are_braces(info: VideoInfo) -> None:
    assert filled(Path("{{{name}}}.mkv"), info, Options(), "m", 4) == Path("{a film}.mkv")
    assert filled(Path("plain.mkv"), info, Options(), "m", 4) == Path("plain.mkv")


@pytest.mark.parametrize(
    "name", ["{nme}.mkv", "{}.mkv", "{name.mkv", "name}.mkv", "{name:>9}.mkv", "{name.parent}.mkv"]
)
def test_an_unknown_field_is_told_in_one_line_with_those_there_are(info: VideoInfo, name: str) -> None:
    with pytest.raises(UsageError, match=r"\{folder\}, \{name\}, \{ext\}, \{model\}, \{width\}") as told:
        filled(Path(name), info, Options(), "m", 4)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("source", "model"),
    [("...mkv", "m"), ("a.mkv", "../../m"), ("a\\..\\b.mkv", "c:m"), ("....mkv", ".."), ("{folder}.mkv", "{folder}")],
)
def test_no_source_or_model_leads_out_of_the_folder(info: VideoInfo, source: str, model: str) -> None:
    hostile = replace(info, path=Path("/far/away") / source)
    for wanted in ("out/{name}/x.mkv", "out/{model}/x.mkv", "out/{name}{ext}", "out/{model}"):
        made = filled(Path(wanted), hostile, Options(), model, 4)
        assert len(made.parts) == len(Path(wanted).parts) and made.parts[0] == "out"
        assert not {"..", "."} & set(made.parts) and not any(sign in part for part in made.parts for sign in "\\/:")
        assert "away" not in str(made)


def test_several_inputs_and_folders_take_a_template(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/a.mkv", "in/b.mkv", "c.mkv"):
        (tmp_path / name).touch()
    wanted = Path("{folder}/{name}_new{ext}")
    assert not is_folder_for(Path("{folder}/{name}"), tmp_path / "c.mkv")
    found = items([tmp_path / "in", tmp_path / "c.mkv"], wanted, recursive=False)
    assert [item.source.name for item in found] == ["a.mkv", "b.mkv", "c.mkv"]
    assert all(item.output == wanted for item in found) and is_template(wanted)


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        ("{folder}/{name}.mkv", "/far/../away/a.mkv"),
        ("out/{folder}/{name}.mkv", "out/far/away/a.mkv"),
        ("out/{folder}_{name}.mkv", "out/far/away_a.mkv"),
        ("x{folder}/{folder}.mkv", "xfar/away/far/away.mkv"),
        ("{folder}/new/{folder}/{name}.mkv", "/far/../away/new/far/away/a.mkv"),
    ],
)
def test_after_other_text_the_folder_leads_only_downwards(info: VideoInfo, wanted: str, made: str) -> None:
    far = replace(info, path=Path("/far/../away/a.mp4"))
    assert filled(Path(wanted), far, Options(), "m", 4) == Path(made)


@pytest.mark.parametrize("before", ["", "other/../"])
def test_after_other_text_the_tree_below_an_input_is_mirrored(tmp_path: Path, before: str) -> None:
    (tmp_path / "other").mkdir()
    for name in ("in/a {x}/s.mkv", "in/t.mkv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = items([tmp_path / before / "in"], Path("out/{folder}/{name}.mkv"), recursive=True)
    assert [item.output for item in found] == [Path("out/{name}.mkv"), Path("out/a {{x}}/{name}.mkv")]


def test_a_batch_is_named_by_it_and_clashes_are_told_apart(tmp_path: Path, tiny_model: str) -> None:
    for name in ("a", "b"):
        make.video(tmp_path / f"{name}.mkv", frames=3, width=32, height=24)
    how = ["-m", tiny_model, "--window", 4, "--precision", "fp32", "-r"]
    done = vsr("upscale", tmp_path, "-o", "{folder}/up/{name}_{height}p.mkv", *how)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "up").iterdir()) == ["a_96p.mkv", "b_96p.mkv"]
    again = vsr("upscale", tmp_path, "-o", "{folder}/up/{name}_{height}p.mkv", *how)
    assert again.returncode == 0 and again.stderr.count("skipped") >= 2
    files = [tmp_path / "a.mkv", tmp_path / "b.mkv"]
    clash = vsr("upscale", *files, "-o", "{folder}/one/film{ext}", *how[:-1])
    assert clash.returncode == 0 and len(list((tmp_path / "one").iterdir())) == 2
    wrong = vsr("upscale", files[0], "-o", "{nme}.mkv", *how[:-1])
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "no such field" in wrong.stderr
