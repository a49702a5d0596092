"""`vsr weights` pulls, verifies and locates, and fails in one line with the documented exit code."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from platformdirs import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from tests.command import vsr
from tests.evaluate.make import clip
from tests.media import make
from tests.zoo.server import WeightsServer
from vsrcli.cli import weights as module
from vsrcli.cli.weights import command
from vsrcli.engine.device import check_int8_parts
from vsrcli.errors import UsageError, WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_int8
from vsrcli.zoo import formats, loading, ranges
from vsrcli.zoo.catalogue import parse

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeightsServer]:
    """Serves the one model of a small catalogue."""
    about = {"degradation": "bi", "trained_on": "X", "licence": "MIT"}
    with WeightsServer(CONTENT).running() as running:
        sources = [{"url": f"{running.url}/net-{DIGEST}.pth", "sha256": DIGEST}]
        listed = parse(
            {
                "default": ["basicvsr.tiny"],
                "architectures": {"basicvsr": {"title": "BasicVSR", "parameters": 1, "gflop": 1.0}},
                "models": {"basicvsr.tiny": {**about, "scale": 4, "sources": sources}},
            }
        )
        for place in (module, loading):
            monkeypatch.setattr(place, "catalogue", lambda: listed)
        yield running


def test_pull_verify_and_path_agree(server: WeightsServer, empty_home: Path) -> None:
    def invoke(*arguments: str) -> tuple[str, str]:
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        return result.stdout, result.stderr

    assert "to download" in invoke("verify")[0]
    _, said = invoke("pull", "basicvsr.tiny")
    path = empty_home / "weights" / f"net-{DIGEST}.pth"
    assert f"downloaded, verified (SHA-256 {DIGEST}): {path}" in said
    assert path.read_bytes() == CONTENT
    assert invoke("path", "basicvsr")[0].strip() == str(path)
    assert invoke("verify")[0].split()[:3] == ["basicvsr.tiny", "ok", "downloaded"]
    invoke("pull", "basicvsr.tiny")
    assert len(server.requests) == 1


def test_verify_finds_damage_and_pull_repairs_it(server: WeightsServer, empty_home: Path) -> None:
    CliRunner().invoke(command, ["pull", "basicvsr.tiny"], catch_exceptions=False)
    path = empty_home / "weights" / f"net-{DIGEST}.pth"
    path.write_bytes(b"?" + CONTENT[1:])
    result = CliRunner().invoke(command, ["verify"])
    assert "damaged" in result.stdout
    assert isinstance(result.exception, WeightsError)
    assert "`vsr weights pull basicvsr.tiny`" in str(result.exception)
    CliRunner().invoke(command, ["pull", "basicvsr.tiny"], catch_exceptions=False)
    assert path.read_bytes() == CONTENT


def test_a_missing_file_has_no_path() -> None:
    result = vsr("weights", "path", "iconvsr.reds4")
    assert (result.returncode, result.stdout) == (1, "")
    assert "`vsr weights pull iconvsr.reds4`" in result.stderr


def test_an_unknown_model_is_a_usage_error_with_a_suggestion() -> None:
    result = vsr("weights", "pull", "icnovsr.reds4")
    assert result.returncode == 2
    assert result.stderr.startswith("vsr: no model is called 'icnovsr.reds4'; did you mean iconvsr.reds4 or ")
    assert result.stderr.count("\n") == 1


def test_offline_pull_fails_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_WEIGHTS_MIRROR", "http://127.0.0.1:9")
    result = vsr("weights", "pull", "iconvsr.reds4")
    assert result.returncode == 1
    announced, failed = result.stderr.splitlines()
    assert announced.startswith("vsr: iconvsr.reds4: downloading its weights from http://127.0.0.1:9/mmediting/")
    assert "cannot be reached" in failed and "put that file at " in failed


def test_calibrated_weights_run_in_int8_and_others_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = {"channels": 16, "blocks": 1}
    model = tmp_path / "net.safetensors"
    formats.save(model, BasicVSR(**config), arch="basicvsr", config=config)
    film = make.video(tmp_path / "film.mp4", frames=4)
    refused = vsr("upscale", film, "-o", tmp_path / "no.mkv", "-m", model, "--precision", "int8")
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and not (tmp_path / "no.mkv").exists()
    if not cpu_has_int8():
        assert "VNNI" in refused.stderr
        return
    assert "`vsr weights calibrate MODEL VIDEO...`" in refused.stderr
    made = vsr("weights", "calibrate", model, film, "--frames", 2)
    assert made.returncode == 0, made.stderr
    assert str(tmp_path / "net.safetensors.int8.json") in made.stderr
    done = vsr(
        "upscale", film, "-o", tmp_path / "yes.mkv", "-m", model, "--precision", "int8", "--progress", "json", "-v"
    )
    assert done.returncode == 0, done.stderr
    assert precision_of(done.stderr) == "int8"
    auto = vsr("upscale", film, "-o", tmp_path / "auto.mkv", "-m", model, "--progress", "json", "-v")
    assert precision_of(auto.stderr) != "int8", "its price was not measured"


def precision_of(lines: str) -> str:
    """Return the precision that a job's plan names, from its lines of JSON."""
    plan = next(event for event in map(json.loads, lines.splitlines()) if event["event"] == "plan")
    return str(plan["precision"])


def test_calibrating_needs_a_net_with_int8_and_a_video(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "film.mp4", frames=2)
    without = vsr("weights", "calibrate", tiny_model, film)
    with pytest.raises(UsageError) as told:
        check_int8_parts(loading.load(tiny_model).net)
    assert (without.returncode, without.stderr) == (2, f"vsr: {told.value}\n")
    missing = vsr("weights", "calibrate", tiny_model, tmp_path / "none.mp4")
    assert missing.returncode == 1 and "no such file or folder" in missing.stderr


def test_a_folder_of_images_is_a_sequence_and_so_is_a_pattern(tmp_path: Path) -> None:
    config = {"channels": 8, "blocks": 1}
    model = tmp_path / "net.safetensors"
    formats.save(model, BasicVSR(**config), arch="basicvsr", config=config)
    lawn = clip(tmp_path / "seq" / "lawn", frames=4)
    found = []
    for source in (tmp_path / "seq", lawn / "%03d.png", lawn / "*.png"):
        done = vsr(
            "weights", "calibrate", model, source, "--frames", 3, "-o", tmp_path / "out.json", "--progress", "json"
        )
        assert done.returncode == 0, done.stderr
        said = [json.loads(line) for line in done.stderr.splitlines()]
        assert f"{lawn}, 4 images" in [one.get("text") for one in said]
        found.append(ranges.read(tmp_path / "out.json"))
    assert found[0].videos == ("lawn",) and found[0] == found[1] == found[2]
    missing = vsr("weights", "calibrate", model, lawn / "%05d.png", "-q")
    assert missing.returncode == 1 and "no image fits the pattern" in missing.stderr and missing.stderr.count("\n") == 1


@pytest.mark.parametrize(("system", "row"), [(Unix, "Linux"), (MacOS, "macOS")])
def test_the_default_place_of_downloads_is_documented(
    monkeypatch: pytest.MonkeyPatch, system: type[PlatformDirsABC], row: str
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    place = system("vsr", appauthor=False).user_cache_path.relative_to(Path.home()).as_posix()
    settings = (Path(__file__).resolve().parents[2] / "docs" / "settings.md").read_text("utf-8")
    assert f"| {row} | `~/{place}`" in settings
    assert f"~/{place}" in vsr("weights", "--help").stdout
