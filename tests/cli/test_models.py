"""`vsr models` says what there is, as a table and as JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vsrcli.cli.models import command
from vsrcli.zoo.catalogue import catalogue


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))


def test_the_table_shows_every_model_on_a_line_of_its_own() -> None:
    lines = CliRunner().invoke(command, catch_exceptions=False).stdout.splitlines()
    for entry in catalogue().models.values():
        [line] = [line for line in lines if line.removesuffix("*").split()[0].removesuffix("*") == entry.name]
        assert entry.title in line and f"x{entry.scale}" in line and entry.licence in line
    [line] = [line for line in lines if line.startswith("basicvsr++.vimeo90k-bd")]
    cost = ["7.32", "M", "873", "29.04"]
    assert line.split()[1:] == ["BasicVSR++", "x4", "blur", *cost, "Apache-2.0", "to", "download"]


def test_json_has_stable_fields() -> None:
    models = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).stdout)
    assert [model["name"] for model in models] == list(catalogue().models)
    assert sum(model["default"] for model in models) == 1
    [bi] = [model for model in models if model["name"] == "basicvsr.vimeo90k-bi"]
    assert Path(bi.pop("path")).name == "BasicVSR_Vimeo90K_BIx4.pth"
    del bi["default"]
    assert bi == {
        "name": "basicvsr.vimeo90k-bi",
        "architecture": "basicvsr",
        "scale": 4,
        "degradation": "bi",
        "content": "film",
        "trained_on": "Vimeo-90K",
        "licence": "Apache-2.0",
        "parameters": 6291311,
        "gflop_per_320x180_frame": 754.1,
        "published": {"vid4-bi": {"psnr": 27.24, "ssim": 0.8251}, "vimeo90k-t-bi": {"psnr": 37.18, "ssim": 0.945}},
        "weights": "installed",
    }
    [missing] = [model for model in models if model["name"] == "iconvsr.reds4"]
    assert (missing["weights"], missing["path"]) == ("to download", None)


@pytest.mark.parametrize("arguments", [["models"], ["weights", "path", "basicvsr"], ["weights", "--help"]])
def test_torch_is_not_imported(arguments: list[str]) -> None:
    script = "import sys; from vsrcli.cli import cli; cli.main(sys.argv[1:], standalone_mode=False)"
    script += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)
