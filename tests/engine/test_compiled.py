"""Compiled steps give the frames of uncompiled ones, once for each size of tile; without a compiler the net runs on."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.command import vsr
from tests.engine.test_repeats import pictures, through
from tests.media import make
from tests.toy import Toy
from vsrcli.engine.compiled import compile_steps, copied
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.frame import Frame
from vsrcli.nets.layers import ResidualBlock
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's compiler warns of PyTorch
CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")


@pytest.fixture
def no_compiler() -> Iterator[None]:
    """Let PyTorch look for a compiler that is not there, and use nothing that was compiled before."""
    from torch._dynamo import reset
    from torch._inductor import config

    reset()
    with config.patch({"cpp.cxx": ("no-such-compiler",), "fx_graph_cache": False}):
        yield
    reset()


class Blend(Toy):
    """A net of the same kind that PyTorch's compiler can read."""

    def __init__(self) -> None:
        super().__init__()
        self.block = ResidualBlock(3)
        with torch.no_grad():
            for number, weight in enumerate(self.block.parameters()):
                weight.copy_(torch.linspace(-0.1, 0.1, weight.numel()).view_as(weight).roll(number))
        self.requires_grad_(False)

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        mixed = features["lr"] if state is None else features["lr"].lerp(state[0], 0.3)
        feature = self.block(mixed.contiguous(memory_format=torch.channels_last))
        return feature, (feature,)


class BlendStream(Blend):
    """The same net with only its forward branch."""

    branches = (Branch("forward", reverse=False),)


def made_by(net: RecurrentNet, plan: Plan, count: int = 6) -> list[Frame]:
    return through(Engine(net, plan, CPU, detector=None), [Frame(n, p) for n, p in enumerate(pictures()[:count])])


@pytest.mark.slow  # the compiler takes its time
@needs_compiler
@pytest.mark.parametrize(
    ("net", "plan"),
    [
        pytest.param(BlendStream, Plan(window=1, lookahead=0), id="stream"),
        pytest.param(Blend, Plan(window=3, lookahead=1, tile=(16, 16), halo=4), id="tiles"),
    ],
)
def test_compiled_steps_give_the_same_frames_once_for_each_size(net: type[RecurrentNet], plan: Plan) -> None:
    from torch._dynamo.utils import counters

    expected = made_by(net(), plan)
    compiled, told = net(), list[str]()
    compile_steps(compiled, CPU, told.append)
    counters.clear()
    found = made_by(compiled, plan)
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0 and not told
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.data.astype(int) - other.data).max() <= 1
    made_by(compiled, replace(plan, keep_colours=True), count=9)
    assert counters["stats"]["unique_graphs"] == graphs, "nothing is compiled again for a size that is known"


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_the_net_runs_as_it_is_and_says_so_once() -> None:
    plan, net, told = Plan(window=3, lookahead=1), Blend(), list[str]()
    compile_steps(net, CPU, told.append)
    for one, other in zip(made_by(net, plan), made_by(Blend(), plan), strict=True):
        assert np.array_equal(one.data, other.data)
    assert told == ["going on uncompiled: PyTorch finds no C++ compiler here"]


@pytest.mark.usefixtures("no_compiler")
def test_a_job_goes_on_without_a_compiler(tiny_model: str, tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mkv", width=16, height=16, frames=2, codec="ffv1")
    done = vsr("upscale", source, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--precision", "fp32", "--compile")
    assert done.returncode == 0 and done.stderr.count("going on uncompiled") == 1
    assert (tmp_path / "out.mkv").exists()


def test_copies_share_no_memory_with_what_a_graph_overwrites() -> None:
    feature, state = torch.ones(2), (torch.ones(3), torch.ones(4))
    twice = copied((feature, state))
    feature.zero_()
    state[1].zero_()
    assert twice[0].sum() == 2 and [float(tensor.sum()) for tensor in twice[1]] == [3, 4]
