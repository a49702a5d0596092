"""`vsr evaluate` prints tables that parse, on real tiny frames with a real tiny net."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.command import vsr
from tests.evaluate.make import clip, tiny_model
from vsrcli import __version__
from vsrcli.cli.evaluate import command
from vsrcli.errors import UsageError
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.levels import to_levels, to_unit
from vsrcli.quality.degrade import imresize
from vsrcli.quality.metrics import planes, psnr, ssim


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_model(tmp_path_factory.mktemp("model") / "tiny.safetensors"))


@pytest.fixture(scope="module")
def vid4(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("data") / "Vid4"
    clip(root / "calendar")
    clip(root / "city", seed=3)
    return str(root)


def run(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(command, [*arguments, "--device", "cpu"], catch_exceptions=False, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout, result.stderr


def test_json_holds_settings_and_rows(model: str, vid4: str) -> None:
    out, err = run("-m", model, "--data", vid4, "--frames", "3", "--json", "--mse")
    report = json.loads(out)
    assert report["settings"]["precision"] == "float32" and report["settings"]["scale"] == 4
    assert report["settings"]["models"][0]["name"] == "tiny.safetensors"
    rows = {(r["clip"], r["method"]): r for r in report["results"]}
    assert list(rows)[:6] == [(c, m) for c in ("calendar", "city", "mean") for m in ("bicubic", "tiny.safetensors")]
    assert rows["city", "tiny.safetensors"]["frames"] == 3
    mean = (rows["calendar", "bicubic"]["psnr"] + rows["city", "bicubic"]["psnr"]) / 2
    assert rows["mean", "bicubic"]["psnr"] == pytest.approx(mean)
    assert len(rows) == 6 and "published" not in out + err


def test_csv_and_markdown_hold_the_same_figures(model: str, vid4: str) -> None:
    options = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "2", "-q", "--channels", "rgb")
    how = ("--propagation", "window", "--window", "2", "--lookahead", "1", "--degradation", "bd")
    rows = list(csv.DictReader(io.StringIO(run(*options, *how, "--csv")[0])))
    markdown, err = run(*options, *how)
    assert err == ""
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in markdown.splitlines()]
    assert cells[0][:5] == ["clip", "method", "frames", "PSNR-RGB (dB)", "SSIM-RGB"]
    assert [c[3] for c in cells[2:]] == [f"{float(r['psnr']):.3f}" for r in rows]
    assert len(rows) == 4  # without rows of nets that were not run


def test_bicubic_alone_needs_no_model(vid4: str) -> None:
    report = json.loads(run("--data", vid4, "--clips", "city", "--frames", "1", "--scale", "2", "--json")[0])
    assert [r["method"] for r in report["results"]] == ["bicubic", "bicubic"]


def test_settings_say_what_ran(model: str, vid4: str) -> None:
    options = ("--data", vid4, "--clips", "city", "--frames", "1", "--json")
    settings = json.loads(run("-m", model, *options)[0])["settings"]
    assert (settings["vsr"], settings["torch"], settings["clips"]) == (__version__, torch.__version__, ["city"])
    assert settings["horizon"]["frames"] == 60
    assert json.loads(run("-m", "repvsr.bi", *options)[0])["settings"]["horizon"] is None  # frame by frame
    assert json.loads(run("-m", model, *options, "--ablate", "tile")[0])["settings"]["horizon"] is None
    assert json.loads(run(*options[:2], *options[4:])[0])["settings"]["clips"] is None


def test_borders_are_left_out_of_psnr_and_ssim_of_all_methods(model: str, vid4: str) -> None:
    options = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "1", "--mse")
    whole, cut = (json.loads(run(*options, *more, "--json")[0]) for more in ((), ("--crop-border", "8")))
    assert (whole["settings"]["crop_border"], cut["settings"]["crop_border"], whole["notes"]) == (0, 8, [])
    assert "without 8 pixels at each border" in run(*options, "--crop-border", "8", "-q")[0].splitlines()[-1]
    for before, after in zip(whole["results"], cut["results"], strict=True):
        assert all(before[key] != after[key] for key in ("psnr", "ssim", "mse"))
    pair = next(pairs(choose_clips(Path(vid4), ["city"])[0], "bi", 4))
    a, b = (planes(to_unit(p))[..., 8:-8, 8:-8] for p in (imresize(to_levels(pair.lr), 4), pair.hr))
    bicubic = cut["results"][0]
    assert (bicubic["psnr"], bicubic["ssim"]) == pytest.approx((float(psnr(a, b)), float(ssim(a, b))))
    with pytest.raises(UsageError, match="128x96 without 43 pixels at each border is too small for SSIM's 11x11"):
        run(*options, "--crop-border", "43")


def test_bicubic_may_be_named_and_is_one_row(model: str, vid4: str) -> None:
    options = ("--data", vid4, "--clips", "city", "--frames", "1", "--json")
    for named, methods in (
        (("-m", "bicubic"), ["bicubic"]),
        (("-m", model, "-m", "Bicubic"), ["bicubic", "tiny.safetensors"]),
    ):
        rows = json.loads(run(*named, *options)[0])["results"]
        assert [r["method"] for r in rows if r["clip"] == "mean"] == methods


def test_a_folder_of_results_is_no_model(vid4: str) -> None:
    with pytest.raises(UsageError, match=r"is a folder, no model: .* scored by `vsr compare --reference`"):
        run("-m", f"{vid4}/city", "--data", vid4)


def test_a_model_s_own_published_figures_stand_beside_its_measured_ones(vid4: str) -> None:
    out = run("-m", "basicvsr.vimeo90k-bi", "--data", vid4, "--clips", "city", "--frames", "1", "--json")[0]
    rows = {r["method"]: r for r in json.loads(out)["results"] if r["clip"] == "mean"}
    assert set(rows) == {"bicubic", "basicvsr.vimeo90k-bi"}
    assert rows["basicvsr.vimeo90k-bi"]["published_psnr"] == 27.24 and rows["bicubic"]["published_psnr"] is None
    notes = json.loads(out)["notes"]
    assert notes[0] == "Published figures are of all 4 clips of Vid4; 1 was run." and "not of their first" in notes[1]
    arguments = ("-m", "basicvsr.vimeo90k-bi", "--data", vid4, "--clips", "city", "--frames", "1")
    assert run(*arguments, "-q")[0].splitlines()[-3] == notes[0]
    assert notes[0] in run(*arguments, "--csv")[1] and run(*arguments, "--csv", "-q")[1] == ""


@pytest.mark.parametrize("formats", [("csv", "json"), ("markdown", "csv"), ("markdown", "csv", "json")])
def test_one_format_is_printed(vid4: str, formats: tuple[str, ...]) -> None:
    flags = [f"--{name}" for name in formats]
    with pytest.raises(UsageError, match=f"^{' and '.join(flags)} exclude each other: give one$"):
        run("--data", vid4, *flags)


def test_the_format_that_is_typed_replaces_that_of_a_variable(vid4: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_EVALUATE_JSON", "1")
    arguments = ("evaluate", "--data", vid4, "--clips", "city", "--frames", "1", "-q")
    assert json.loads(vsr(*arguments).stdout)["results"]
    assert vsr(*arguments, "--csv").stdout.startswith("clip,method,")


def test_colour_and_line_columns_are_shown_on_request(model: str, vid4: str) -> None:
    options = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "2", "-q")
    asked, plain = run(*options, "--colour", "--lines")[0], run(*options)[0]
    for title in ("red (levels)", "green (levels)", "blue (levels)", "lines (levels²)", "invented lines (levels²)"):
        assert title in asked and title not in plain
    mean = json.loads(run(*options, "--colour", "--json")[0])["results"][-1]
    assert "red_shift" in mean and "invented_lines" not in mean


def test_published_figures_are_not_shown_for_compressed_clips(vid4: str) -> None:
    options = ("-m", "basicvsr.vimeo90k-bi", "--data", vid4, "--clips", "city", "--frames", "1", "--json")
    worse, better = (json.loads(run(*options, *crf)[0]) for crf in (("--crf", "35"), ()))
    assert (worse["settings"]["crf"], better["settings"]["crf"]) == (35, None)
    assert worse["settings"]["compression"]["preset"] == "medium" and better["settings"]["compression"] is None
    assert worse["results"][0]["psnr"] < better["results"][0]["psnr"] - 0.5
    assert not any("published_psnr" in row for row in worse["results"])
    assert any("published_psnr" in row for row in better["results"])


def test_several_crfs_give_one_table(vid4: str, tmp_path: Path) -> None:
    options = ("--data", vid4, "--clips", "city", "--frames", "2")
    report = json.loads(run(*options, "--crf", "20,40", "--save", str(tmp_path), "--json")[0])
    assert report["settings"]["crf"] == [20, 40]
    assert [(r["crf"], r["clip"]) for r in report["results"]] == [
        (20, "city"),
        (20, "mean"),
        (40, "city"),
        (40, "mean"),
    ]
    alone = json.loads(run(*options, "--crf", "40", "--json")[0])["results"][0]
    assert report["results"][0]["psnr"] > report["results"][2]["psnr"] == alone["psnr"]
    assert {p.relative_to(tmp_path).parts[0] for p in tmp_path.rglob("*.png")} == {"crf20", "crf40"}
    for crf in ("20,x", "52", ""):
        assert CliRunner().invoke(command, [*options, "--crf", crf]).exit_code == 2


def test_models_with_equal_file_names_get_distinct_rows(model: str, vid4: str, tmp_path: Path) -> None:
    other = str(tiny_model(tmp_path / "tiny.safetensors", seed=1))
    out, _ = run("-m", model, "-m", other, "--data", vid4, "--clips", "city", "--frames", "1", "--json")
    rows = json.loads(out)["results"]
    assert {r["method"] for r in rows if r["clip"] == "city"} == {"bicubic", "tiny.safetensors", other}


@pytest.mark.parametrize("more", [(), ("--ablate", "tile")])
def test_threads_are_those_asked_for(model: str, vid4: str, more: tuple[str, ...]) -> None:
    before = torch.get_num_threads()
    try:
        said = run(
            "-m", model, "--data", vid4, "--clips", "city", "--frames", "1", "--threads", str(before + 1), *more
        )[1]
        assert torch.get_num_threads() == before + 1 and "not used" not in said
    finally:
        torch.set_num_threads(before)


def test_options_without_effect_on_whole_clips_are_said(model: str, vid4: str) -> None:
    arguments = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "1")
    said = run(*arguments, "--window", "2", "--lookahead", "1", "--memory", "1GiB")[1]
    assert "the window and lookahead change nothing: whole scenes are taken" in said
    assert "the memory changes nothing: it is for --tile auto" in said
    assert "nothing" not in run(*arguments, "--propagation", "window", "--window", "2")[1]


def test_ablation_prints_each_choice(model: str, vid4: str) -> None:
    arguments = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "2", "--ablate", "tile,precision")
    report = json.loads(run(*arguments, "--json", "-q")[0])
    rows = report["results"]
    assert len(report["notes"]) == 1 and "tiny.safetensors: precision is compared without int8: " in report["notes"][0]
    assert [r["axis"] for r in rows][:3] == ["reference", "tile", "tile"]
    assert rows[0]["to_reference"] == "inf" and rows[0]["time_ratio"] == 1
    assert {"half the frame", "bf16"} <= {r["choice"] for r in rows}


def test_options_and_axes_without_effect_on_an_ablation_are_said(model: str, vid4: str) -> None:
    arguments = ("-m", model, "--data", vid4, "--clips", "city", "--frames", "2", "--ablate", "tile,keyframe-interval")
    note = "tiny.safetensors: nothing to compare for keyframe-interval: it has no keyframes"
    shown, said = run(*arguments, "--window", "2", "--lookahead", "1", "--temporal")
    assert "--temporal, --window, --lookahead not used" in said
    assert shown.count(note) == 1 and note not in said
    shown, said = run(*arguments, "--csv")
    assert said.count(note) == 1 and note not in shown
    assert "not used" not in run(*arguments)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ablate", "window"), "give a model"),
        (("--keyframe-interval", "3"), "IconVSR"),
        (("--clips", "walk"), "no clip called walk"),
    ],
)
def test_wrong_usage_gives_one_line(vid4: str, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run("--data", vid4, *arguments)


def test_published_results_are_listed_beside_measured_ones(vid4: str, tmp_path: Path) -> None:
    out, _ = run(
        "--data", vid4, "--frames", "2", "--clips", "city", "--published", "-q", "--degradation", "bd", "--csv"
    )
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(out)) if row["clip"] == "mean"}
    assert float(rows["bicubic"]["psnr"]) > 20
    rrn = rows["RRN (survey)"]
    assert (float(rrn["published_psnr"]), float(rrn["published_fps_720p"])) == (27.69, 22.2)
    for degradation in ("bi", "bd"):
        out, err = run("--data", vid4, "--frames", "1", "--published", "--degradation", degradation)
        assert re.search(r"REPVSR \(Hu and Yu\) .* 26\.85 .* 96\.8 .* 37\.5 ", out)
        assert "all 4 clips of Vid4; 2 were run" in out and "clips of Vid4" not in err
        assert "survey: Zirui Liu, Recent Advances on Video Super Resolution" in out
    clip(tmp_path / "mine" / "one", frames=1)
    with pytest.raises(UsageError, match="named like no test set"):
        run("--data", str(tmp_path / "mine"), "--published")
    with pytest.raises(UsageError, match="--channels y"):
        run("--data", vid4, "--published", "--channels", "rgb")
    with pytest.raises(UsageError, match="nothing of Vid4 made in this way"):
        run("--data", vid4, "--published", "-s", "2")
