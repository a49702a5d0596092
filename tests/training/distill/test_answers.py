"""A teacher's answers are packed and used as targets."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.told import told
from tests.training.make import TINY
from vsrcli.cli.train import command
from vsrcli.errors import UsageError
from vsrcli.nets.repvsr import RepVSR
from vsrcli.quality import degrade, metrics
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sampler import Sampler
from vsrcli.training.distill.answers import add_answers
from vsrcli.zoo import formats, loading


def test_answers_are_packed_and_used_as_targets(packed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name in ("one", "two"):
        net, config = RepVSR(channels=8, blocks=1), {"channels": 8, "blocks": 1}
        about = {"scale": 4, "degradation": "bi"}
        formats.save(tmp_path / f"{name}.safetensors", net, arch="repvsr", config=config, extra=about)
    teachers = [str(tmp_path / f"{name}.safetensors") for name in ("one", "two")]
    out = tmp_path / "taught.safetensors"
    asked = ["--teacher", teachers[0], "--teacher", teachers[1], str(packed), "-o", str(out), "--device", "cpu"]
    done = CliRunner().invoke(command, asked)
    assert done.exit_code == 0, done.output
    pack = Pack([out])
    assert len(pack.names("train")) == 2 and len(pack.names("validation")) == 1
    assert set(teachers) <= set(pack.origins.teachers), "the card must name whose answers were learnt from"
    for name in pack.names("train"):
        hr, _ = pack.pair("train", name)
        answer = pack.answer("train", name)
        lr = degrade.bi(hr[None].float() / 255, 4)
        mean = torch.stack([loading.load(teacher).net(lr)[0] for teacher in teachers]).mean(0)
        assert answer is not None and (answer.float() - mean.clamp(0, 1) * 255).abs().max() < 4  # bf16 and rounding
    truth = recipe.parse(TINY, "tiny").data
    lr, hr = Sampler(pack, truth, 4, seed=1).batch(5)
    same_lr, taught = Sampler(pack, replace(truth, answers=1.0), 4, seed=1).batch(5)
    _, both = Sampler(pack, replace(truth, answers=0.25), 4, seed=1).batch(5)
    assert torch.equal(lr, same_lr)
    torch.testing.assert_close(both, 0.75 * hr + 0.25 * taught)
    likeness = metrics.psnr(metrics.planes(taught), metrics.planes(degrade.imresize(lr, 4)))
    assert likeness.min() > metrics.psnr(metrics.planes(taught), metrics.planes(hr)).max(), "an answer to another crop"


def test_answers_need_a_suitable_pack_and_matching_teachers(packed: Path, tmp_path: Path) -> None:
    data = replace(recipe.parse(TINY, "tiny").data, answers=0.5)
    with told(UsageError, "vsr train teach"):
        Sampler(Pack([packed]), data, 4, seed=0)
    with pytest.raises(UsageError, match="one degradation"):
        add_answers([packed], tmp_path / "no", ["repvsr.bi", "repvsr.bd"], clips_per_source=1)
    with pytest.raises(UsageError, match="one degradation"):
        add_answers([packed], tmp_path / "no", ["repvsr.real"], clips_per_source=1)
    with pytest.raises(UsageError, match="answers"):
        recipe.parse(TINY.replace('"bi"', '"bi"\nanswers = 1.5'), "tiny")
