"""Space-time distillation runs with every net as the teacher and as the student, whatever sizes it pads frames to."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.nets.small import SMALL, small
from tests.training.make import textured
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.loop.trainer import Trainer
from vsrcli.zoo.architectures import ARCHITECTURES

LARGE = ("basicvsr++", "zsm", "edvr", "iconvsr")
NETS = [pytest.param(arch, marks=pytest.mark.slow) if arch in LARGE else arch for arch in ARCHITECTURES]
RECIPE = """
[net]
arch = "{arch}"
config = {{ {config} }}
[data]
degradation = "bi"
patch = 18
frames = 3
batch = 1
[loss]
teacher = "{teacher}"
output = 0.5
space = 0.5
time = 0.5
[optimiser]
iterations = 2
warmup = 0
precision = "fp32"
"""


def value(item: object) -> str:
    return str(list(item) if isinstance(item, tuple) else item).lower()


def distilled(student: str, teacher: str, folder: Path) -> None:
    """Train a student by a teacher for an iteration, and check who learns of it."""
    save_file({"train/a": textured(3, 72, 72)}, folder / "pack.safetensors")
    save_file(small(teacher).state_dict(), folder / "teacher.safetensors")
    config = ", ".join(f"{name} = {value(item)}" for name, item in SMALL[student].items())
    path = (folder / "teacher.safetensors").as_posix()
    text = RECIPE.format(arch=student, config=config, teacher=path)
    trainer = Trainer(recipe.parse(text, "tiny"), Pack([folder / "pack.safetensors"]), folder / "out")
    assert trainer.teacher is not None and trainer.space_time is not None
    teachers = {key: tensor.clone() for key, tensor in trainer.teacher.net.state_dict().items()}
    widen = trainer.space_time.widen.weight.detach().clone()
    line = trainer.step()
    assert math.isfinite(line["loss"]) and line["gradient"] > 0
    learnt = [p for p in trainer.net.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert len(learnt) > 4
    assert not torch.equal(trainer.space_time.widen.weight, widen)
    assert all(torch.equal(tensor, teachers[key]) for key, tensor in trainer.teacher.net.state_dict().items())


@pytest.mark.parametrize("arch", NETS)
def test_every_net_can_be_the_teacher(arch: str, tmp_path: Path) -> None:
    distilled("rlsp", arch, tmp_path)


@pytest.mark.parametrize("arch", NETS)
def test_every_net_can_be_the_student(arch: str, tmp_path: Path) -> None:
    distilled(arch, "rlsp", tmp_path)
