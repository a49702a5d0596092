"""The table holds the results of the quality functions on the net's frames, clip by clip and on average."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.evaluate.make import clip, figure
from tests.told import told
from vsrcli.engine.plan import Plan
from vsrcli.errors import UsageError
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.evaluate.evaluation import Row, Setting, beside, evaluate, table
from vsrcli.evaluate.methods import Bicubic, Method, Model, Planner
from vsrcli.evaluate.published import published, recognise
from vsrcli.evaluate.scoring import Measures
from vsrcli.levels import to_levels
from vsrcli.media.photo.images import load_picture
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.colour import colour_shift
from vsrcli.quality.degrade import imresize
from vsrcli.quality.lines import invented_lines, line_energy, lines
from vsrcli.quality.metrics import Channels, mse, planes, psnr, ssim
from vsrcli.quality.temporal import motion, tof, unexplained_change, warping_error
from vsrcli.quality.vmaf import vmaf
from vsrcli.zoo.catalogue import Figures

CPU = torch.device("cpu")


def model(net: RecurrentNet, plan: Plan | None = None) -> Model:
    planner: Planner = lambda net, h, w, device, dtype: plan or Plan(window=None)  # noqa: E731
    return Model("tiny", net, CPU, torch.float32, planner)


def frames_of(net: RecurrentNet, root: Path, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the net's frames from its own forward, and the truth: uint8 (t, 3, h, w) each."""
    made = list(pairs(choose_clips(root)[index], "bi", 4))
    with torch.inference_mode():
        hr = net(torch.stack([p.lr for p in made])[None])[0]
    return to_levels(hr), torch.stack([p.hr for p in made])


@pytest.mark.parametrize("channels", ["y", "rgb"])
def test_figures_equal_those_of_the_quality_functions(net: RecurrentNet, two_clips: Path, channels: Channels) -> None:
    methods: list[Method] = [Bicubic(4), model(net)]
    rows = evaluate(choose_clips(two_clips), methods, Setting("bi", 4), Measures(channels))
    assert [(r["clip"], r["method"]) for r in rows] == [
        (c, m) for c in ("first", "second", "mean") for m in ("bicubic", "tiny")
    ]
    for index, row in enumerate(rows[1:4:2]):
        out, truth = (planes(x / 255, channels) for x in frames_of(net, two_clips, index))
        for key, metric in (("psnr", psnr), ("ssim", ssim), ("mse", mse)):
            assert row[key] == pytest.approx(metric(out, truth).mean().item(), rel=1e-4), key
    for mean, parts in ((rows[4], rows[0:4:2]), (rows[5], rows[1:4:2])):
        assert mean["psnr"] == pytest.approx(sum(figure(r, "psnr") for r in parts) / 2)
        assert mean["frames"] == 8 and figure(mean, "seconds_per_frame") > 0


def test_bicubic_is_imresize_on_the_same_8_bit_frames(two_clips: Path) -> None:
    [row, *_] = evaluate(choose_clips(two_clips, ["first"]), [Bicubic(4)], Setting("bd", 4), Measures())
    made = list(pairs(choose_clips(two_clips)[0], "bd", 4))
    values = [psnr(planes(imresize(to_levels(p.lr), 4) / 255), planes(p.hr / 255)).item() for p in made]
    assert row["psnr"] == pytest.approx(np.mean(values))


def test_methods_of_different_delay_are_scored_against_the_same_truth(net: RecurrentNet, two_clips: Path) -> None:
    whole, short = model(net), replace(model(net, Plan(window=1, lookahead=3)), name="short")
    rows = evaluate(choose_clips(two_clips, ["first"]), [short, whole], Setting("bi", 4), Measures())
    assert rows[0]["psnr"] == pytest.approx(rows[1]["psnr"], abs=1e-3)


def test_only_scored_frames_count(net: RecurrentNet, two_clips: Path) -> None:
    [first] = choose_clips(two_clips, ["first"])
    [row, _] = evaluate([replace(first, scored=(2,))], [model(net)], Setting("bi", 4), Measures())
    out, truth = frames_of(net, two_clips, 0)
    assert row["psnr"] == pytest.approx(psnr(planes(out[2] / 255), planes(truth[2] / 255)).item(), abs=1e-3)
    assert row["frames"] == 1
    with told(UsageError, "--frames"):
        evaluate([replace(first, scored=(2,))], [Bicubic(4)], Setting("bi", 4, limit=2), Measures())


def test_temporal_figures_follow_the_truths_motion(net: RecurrentNet, two_clips: Path) -> None:
    with torch.inference_mode():
        rows = evaluate(choose_clips(two_clips, ["first"]), [model(net)], Setting("bi", 4), Measures(flow=net.flow))
        out, truth = (x.float() / 255 for x in frames_of(net, two_clips, 0))
        moved = motion(truth[:-1], truth[1:], net.flow)
        for key, figure, unit in (("warping_error", warping_error, 1), ("unexplained", unexplained_change, 100)):
            assert rows[0][key] == pytest.approx(unit * figure(out[:-1], out[1:], moved).mean().item(), 1e-3)
            of_truth = unit * figure(truth[:-1], truth[1:], moved).mean().item()
            assert rows[0][f"truth_{key}"] == pytest.approx(of_truth, 1e-3)
        assert rows[0]["tof"] == pytest.approx(tof(out[:-1], out[1:], moved, net.flow).mean().item(), rel=1e-3)


def test_colours_are_compared_with_lr_frames_and_lines_with_the_truth(net: RecurrentNet, two_clips: Path) -> None:
    clips, measures = choose_clips(two_clips, ["first"]), Measures(colour=True, lines=True)
    rows = evaluate(clips, [Bicubic(4), model(net)], Setting("bi", 4), measures)
    made = list(pairs(clips[0], "bi", 4))
    results = [torch.stack([imresize(to_levels(p.lr), 4) for p in made]), frames_of(net, two_clips, 0)[0]]
    truth = lines(torch.stack([p.hr for p in made]) / 255)
    for row, out in zip(rows, results, strict=False):
        shift = colour_shift(out / 255, torch.stack([p.lr for p in made])).mean(0).tolist()
        assert [row["red_shift"], row["green_shift"], row["blue_shift"]] == pytest.approx(shift, abs=5e-3)
        found = lines(out / 255)
        assert row["lines"] == pytest.approx(line_energy(found).mean().item(), rel=1e-2)
        assert row["truth_lines"] == pytest.approx(line_energy(truth).mean().item(), rel=1e-4)
        assert row["invented_lines"] == pytest.approx(invented_lines(found, truth).mean().item(), rel=1e-2)
    assert figure(rows[0], "lines") > figure(rows[0], "invented_lines") > 0
    titles = [column.title for column in table(rows, "y").columns]
    assert titles[5:11] == [
        "red (levels)",
        "green (levels)",
        "blue (levels)",
        "lines (levels²)",
        "of the truth",
        "invented lines (levels²)",
    ]


def test_vmaf_and_saved_frames(two_clips: Path, tmp_path: Path) -> None:
    measures = Measures(vmaf=True, save=tmp_path)
    rows = evaluate(choose_clips(two_clips, ["first"]), [Bicubic(4)], Setting("bi", 4), measures)
    saved = sorted((tmp_path / "bicubic" / "first").iterdir())
    made = list(pairs(choose_clips(two_clips)[0], "bi", 4))
    assert [p.name for p in saved] == ["000.png", "001.png", "002.png", "003.png"]
    pictures = np.stack([load_picture(p).to_ndarray(format="rgb24") for p in saved])
    assert (pictures[1] == imresize(to_levels(made[1].lr), 4).permute(1, 2, 0).numpy()).all()
    truth = torch.stack([p.hr for p in made]).permute(0, 2, 3, 1).numpy()
    assert rows[0]["vmaf"] == pytest.approx(vmaf(pictures, np.ascontiguousarray(truth)).mean)
    assert table(rows, "y").columns[-2].key == "vmaf"


def test_published_figures_are_added_to_means() -> None:
    rows: list[Row] = [{"clip": "a", "method": "m1", "psnr": 30.0}, {"clip": "mean", "method": "m1", "psnr": 30.0}]
    found = beside(rows, {"m1": Figures(27.24, 0.8251), "m2": Figures(27.5)})
    assert found[0] == rows[0]
    assert found[1] == {**rows[1], "published_psnr": 27.24, "published_ssim": 0.8251}
    assert len(found) == 2
    assert table(found, "y").csv().splitlines()[-1] == "mean,m1,30.0,27.24,0.8251"


def test_test_sets_are_recognised_by_their_folders(tmp_path: Path) -> None:
    for name, key in (("Vid4", "vid4"), ("REDS4/GT", "reds4"), ("vimeo_90k", "vimeo90k-t"), ("mine", None)):
        folder = tmp_path / name
        clip(folder / "one", frames=1)
        found = recognise(folder)
        assert (found.key if found else None) == key
    vid4 = recognise(tmp_path / "Vid4")
    assert vid4 is not None
    assert published(vid4, "bi", 4)["basicvsr.vimeo90k-bi"] == Figures(27.24, 0.8251)
    assert published(vid4, "bi", 2) == {}
