"""Soups: weights whose errors cancel are averaged, others are left out."""

import copy
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from tests.training.make import textured
from vsrcli.cli.train import command
from vsrcli.errors import UsageError
from vsrcli.nets.repvsr import RepVSR
from vsrcli.training.loop.soup import cook
from vsrcli.zoo import formats, loading

CONFIG = {"channels": 8, "blocks": 1, "scale": 4}


def save(path: Path, net: RepVSR, degradation: str = "bi") -> str:
    formats.save(path, net, arch="repvsr", config=CONFIG, extra={"degradation": degradation})
    return str(path)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    save_file({"train/a": textured(3, 48, 48), "validation/b": textured(3, 48, 48, 2)}, tmp_path / "pack.safetensors")
    return tmp_path / "pack.safetensors"


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """Return two nets on opposite sides of a third one, and one that is far from all."""
    torch.manual_seed(0)
    middle = RepVSR(8, 1, multibranch=False).eval()
    left, right, lost = (copy.deepcopy(middle) for _ in range(3))
    with torch.no_grad():
        for a, b, c in zip(left.parameters(), right.parameters(), lost.parameters(), strict=True):
            step = 0.05 * torch.randn_like(a)
            a.add_(step)
            b.sub_(step)
            c.normal_()
    return [save(tmp_path / f"{n}.safetensors", net) for n, net in (("a", left), ("b", right), ("c", lost))]


def test_models_are_averaged_only_if_the_mean_is_no_worse(models: list[str], pack: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    made = cook(models, [pack], tmp_path / "out.safetensors", device="cpu", say=lines.append)
    alone = [float(line.split(": ")[1].split()[0]) for line in lines[:3]]
    assert made.psnr > max(alone) and made.bicubic > 0 and made.taken == tuple(models[:2])
    assert "taken in" in lines[3] and "left out" in lines[4] and models[2] in lines[4]
    mixed = loading.load(tmp_path / "out.safetensors")
    a, b = (loading.load(m).net.state_dict() for m in models[:2])
    for key, value in mixed.net.state_dict().items():
        torch.testing.assert_close(value, (a[key] + b[key]) / 2, atol=1e-3, rtol=1e-3)
    assert mixed.degradation == "bi"
    assert formats.read(tmp_path / "out.safetensors")[1]["mean_of"] == ["a.safetensors", "b.safetensors"]


def test_the_last_line_says_what_was_mixed(models: list[str], pack: Path, tmp_path: Path) -> None:
    def soup(*arguments: str) -> str:
        where = ("--data", str(pack), "-o", str(tmp_path / "out.safetensors"), "--device", "cpu")
        done = CliRunner().invoke(command, ["soup", *arguments, *where], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout.splitlines()[-1]

    assert soup(*models).endswith(f"; mixed of 2 of 3: {models[0]}, {models[1]}")
    alone = soup(models[0], models[2])
    assert alone.endswith(f"; only {models[0]} was taken: nothing was mixed")
    assert "mixed" not in soup(models[0])


def test_shares_mix_all_models(models: list[str], pack: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    made = cook([models[0], models[2]], [pack], output, shares=(1.3, 0.7), device="cpu", say=print)
    assert made.taken == (models[0], models[2])
    mixed, a, c = (loading.load(m).net.state_dict() for m in (output, models[0], models[2]))
    for key, value in mixed.items():
        torch.testing.assert_close(value, 0.65 * a[key] + 0.35 * c[key], atol=2e-3, rtol=2e-3)
    assert formats.read(output)[1]["shares"] == [1.3, 0.7]
    with pytest.raises(UsageError, match="2 models need as many shares"):
        cook(models[:2], [pack], output, shares=(1.0,), say=print)
    for bad in ("a", "0,0", "-1,2", "nan,1", ""):
        refused = CliRunner().invoke(command, ["soup", *models[:2], "--shares", bad, "--data", str(pack)])
        assert refused.exit_code == 2 and "are no shares" in refused.stderr


def test_shares_mix_without_a_pack(models: list[str], pack: Path, tmp_path: Path) -> None:
    how = ["soup", *models[:2], "--shares", "0.5,0.5", "--device", "cpu"]
    bare, scored = tmp_path / "bare.safetensors", tmp_path / "scored.safetensors"
    done = CliRunner().invoke(command, [*how, "-o", str(bare)], catch_exceptions=False)
    assert done.stdout == f"{bare}: not scored, without --data; mixed of 2 of 2: {models[0]}, {models[1]}\n"
    assert not done.stderr
    CliRunner().invoke(command, [*how, "-o", str(scored), "--data", str(pack)], catch_exceptions=False)
    assert bare.read_bytes() == scored.read_bytes()
    refused = CliRunner().invoke(command, ["soup", *models[:2], "-o", str(bare)])
    assert isinstance(refused.exception, UsageError) and "--data: name a pack" in str(refused.exception)


def test_one_model_is_scored(models: list[str], pack: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    done = CliRunner().invoke(command, ["--soup", models[0], "--data", str(pack), "-o", str(output)])
    assert done.exit_code == 0 and "over bicubic" in done.stdout
    assert output.exists()


def test_unsuitable_models_are_rejected(models: list[str], pack: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "bd.safetensors", RepVSR(8, 1, multibranch=False), degradation="bd")
    output = tmp_path / "out.safetensors"
    with pytest.raises(UsageError, match="one net and degradation"):
        cook([models[0], other], [pack], output, say=print)
    assert not output.exists()
    cook([models[0], other], [pack], output, shares=(1, 1), degradation="bi", say=print)
    assert loading.load(output).degradation == "bi"
    output.unlink()
    save_file({"train/a": textured(3, 48, 48)}, tmp_path / "bare.safetensors")
    with pytest.raises(UsageError, match="no validation clip"):
        cook(models, [tmp_path / "bare.safetensors"], output, say=print)
    assert not output.exists()
