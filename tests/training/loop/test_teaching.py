"""A recipe that names a teacher learns from it: its frames, its features in space and time, and its flow."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.nets.small import small
from tests.told import told
from tests.training.make import TINY
from vsrcli.errors import UsageError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.loop.trainer import Trainer

TERMS = ("flow_teaching", "output", "space", "time")


def saved(net: nn.Module, path: Path) -> Path:
    save_file(net.state_dict(), path)
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return saved(small("repvsr"), tmp_path / "teacher.safetensors")


def taught_by(path: Path, packed: Path, out: Path, weights: dict[str, float], text: str = TINY) -> Trainer:
    lines = [f"teacher = {str(path)!r}", *(f"{name} = {weight}" for name, weight in weights.items())]
    made = recipe.parse(text.replace("[loss]", "\n".join(["[loss]", *lines])), "tiny")
    return Trainer(made, Pack([packed]), out)


@pytest.mark.parametrize("term", TERMS)
def test_each_term_counts_while_it_shall(term: str, teacher: Path, packed: Path, tmp_path: Path) -> None:
    alone = taught_by(teacher, packed, tmp_path / "alone", {})
    taught = taught_by(teacher, packed, tmp_path / "taught", {term: 1.0})
    assert taught.teacher is not None
    before = {key: value.clone() for key, value in taught.teacher.net.state_dict().items()}
    flow_first = alone.step()["loss"], taught.step()["loss"]
    assert (flow_first[0] < flow_first[1]) == (term == "flow_teaching")
    for trainer in (alone, taught):
        trainer.iteration = 2  # now the whole net learns
    frames = alone.step()["loss"], taught.step()["loss"]
    assert (frames[0] < frames[1]) == (term != "flow_teaching")
    assert all(torch.equal(value, before[key]) for key, value in taught.teacher.net.state_dict().items())


def test_a_teacher_of_another_scale_is_refused(packed: Path, teacher: Path, tmp_path: Path) -> None:
    text = TINY.replace("multibranch = true", "scale = 2")
    with told(UsageError, "the teacher upscales by x4"):
        taught_by(teacher, packed, tmp_path, {"output": 1.0}, text)


def test_iconvsr_is_refitted_to_basicvsr(packed: Path, tmp_path: Path) -> None:
    basicvsr = saved(BasicVSR(8, 1), tmp_path / "basicvsr.safetensors")
    text = TINY.replace('"repvsr"', '"iconvsr"').replace("multibranch = true", "keyframe_interval = 0")
    trainer = taught_by(basicvsr, packed, tmp_path / "out", {"features": 1.0}, text.replace("patch = 12", "patch = 16"))
    before = trainer.net.get_parameter("forward_trunk.main.0.weight").clone()
    assert trainer.step()["loss"] > 0
    assert not torch.equal(trainer.net.get_parameter("forward_trunk.main.0.weight"), before)
