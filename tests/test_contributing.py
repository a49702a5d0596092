"""The net that CONTRIBUTING.md shows works in every way, and its excerpts are true."""

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import vsrcli
from tests.training.make import TINY
from vsrcli.nets.marks import Architecture
from vsrcli.training import recipe
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import weights_folder

TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the blocks of code in a language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", TEXT, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


@pytest.fixture
def architecture(monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """The example's architecture, known to the zoo."""
    module: dict[str, Any] = {}
    exec(blocks("python")[0], module)
    found: Architecture = module["ARCHITECTURE"]
    monkeypatch.setitem(ARCHITECTURES, found.name, found)
    return found


def test_the_net_is_recognised_and_upscales_in_tiles_as_whole(architecture: Architecture, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = architecture.build({"channels": 8, "blocks": 1}).requires_grad_(False)
    save_file(net.state_dict(), tmp_path / "name.safetensors")
    clip = torch.rand(3, 3, 40, 72)
    upscalers = [
        vsrcli.Upscaler(tmp_path / "name.safetensors", precision="fp32", tile=tile) for tile in (None, "40x40")
    ]
    whole, tiled = (upscaler(clip) for upscaler in upscalers)
    assert upscalers[0].model.arch == architecture.name
    assert whole.shape == tiled.shape == (3, 3, 160, 288)
    assert (whole - tiled).abs().mean() < 0.01


def test_the_net_trains_by_the_recipe_shown(architecture: Architecture) -> None:
    shown = next(block for block in blocks("toml") if block.startswith("[net]"))
    net = recipe.parse(shown + TINY.partition("\n[data]")[1] + TINY.partition("[data]")[2], "mine").net
    built = architecture.build(net.config)
    loss = built(torch.rand(1, 2, 3, 16, 16)).square().mean()
    loss.backward()
    assert net.arch == architecture.name and built.get_submodule("trunk.main.0").weight.grad is not None


def test_the_catalogue_s_excerpt_is_true() -> None:
    catalogue = (weights_folder() / "catalogue.toml").read_text("utf-8")
    assert next(block for block in blocks("toml") if block.startswith("[architectures.")) in catalogue
