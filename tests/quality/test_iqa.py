"""Measures of pyiqa: by name, with and without a reference, and in one line where they cannot be had."""

import json
import sys
from pathlib import Path

import pytest
import torch

from tests.command import vsr
from tests.evaluate.make import clip
from vsrcli.errors import UsageError, VsrError
from vsrcli.quality.iqa import load_iqa
from vsrcli.quality.metrics import ssim

CPU = torch.device("cpu")


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    truth = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 16), (96, 128), mode="bicubic").clamp(0, 1)[0]
    return (truth + 0.05 * torch.randn_like(truth)).clamp(0, 1), truth


def test_a_missing_pyiqa_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)  # importing it fails, as where it is not installed
    with pytest.raises(VsrError, match=r"^niqe needs the package pyiqa: run `pip install 'vsrcli\[iqa\]'`$"):
        load_iqa("niqe", CPU)
    clip(tmp_path / "data" / "a")
    done = vsr("evaluate", "--data", tmp_path / "data", "--iqa", "lpips,niqe", "--frames", 1, "--device", "cpu")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "lpips needs" in done.stderr


@pytest.mark.filterwarnings("ignore")
class TestInstalled:
    """With the package; its weights are not needed but where said."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("pyiqa", exc_type=ImportError)

    def test_ssim_is_that_of_this_package(self) -> None:
        frame, truth = pair()
        measure = load_iqa("ssimc", CPU)
        assert measure.compares and not measure.less_is_better and measure.key == "pyiqa_ssimc"
        ours = float(
            torch.stack([ssim(a[None] * 255, b[None] * 255) for a, b in zip(frame, truth, strict=True)]).mean()
        )
        assert measure(frame, truth) == pytest.approx(ours, abs=0.01)

    def test_a_measure_without_reference_does_not_see_the_truth(self) -> None:
        frame, truth = pair()
        measure = load_iqa("piqe", CPU)
        assert not measure.compares and measure.title == "piqe ↓"
        assert measure(frame, truth) == measure(frame, torch.zeros_like(truth)) != measure(truth, truth)

    def test_unknown_names_and_small_frames_are_refused_in_a_line(self) -> None:
        with pytest.raises(UsageError, match="pyiqa has no measure niqeee"):
            load_iqa("niqeee", CPU)
        with pytest.raises(VsrError, match="ms_ssim of pyiqa fails on a frame of 8x8: ") as failed:
            load_iqa("ms_ssim", CPU)(torch.rand(3, 8, 8), torch.rand(3, 8, 8))
        assert "\n" not in str(failed.value)

    def test_weights_that_cannot_be_downloaded_are_said_in_a_line(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
        with pytest.raises(VsrError, match="the weights of lpips are not here") as failed:
            load_iqa("lpips", CPU)
        assert "\n" not in str(failed.value)

    def test_evaluate_shows_them(self, tmp_path: Path) -> None:
        clip(tmp_path / "data" / "a")
        done = vsr(
            "evaluate", "--data", tmp_path / "data", "--iqa", "piqe,gmsd", "--frames", 1, "--device", "cpu", "--json"
        )
        assert done.returncode == 0, done.stderr
        (row, mean) = json.loads(done.stdout)["results"]
        assert row["pyiqa_piqe"] == mean["pyiqa_piqe"] and 0 < row["pyiqa_gmsd"] < 1
        shown = vsr("evaluate", "--data", tmp_path / "data", "--iqa", "piqe", "--frames", 1, "--device", "cpu").stdout
        assert "piqe ↓" in shown.splitlines()[0]
