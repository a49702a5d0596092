"""Checkpoints in every format become the same net; everything else is rejected with a description of its content."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.nets.golden import Golden, key_list, needs_golden
from vsrcli.errors import WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.repvsr import RepVSR
from vsrcli.zoo import formats, load

TINY = {"channels": 8, "blocks": 2}


@pytest.fixture(scope="module")
def tiny() -> dict[str, Tensor]:
    """Return a small BasicVSR's state dict in BasicSR's names."""
    torch.manual_seed(0)
    return BasicVSR(**TINY).state_dict()


def assert_same(net: torch.nn.Module, state: dict[str, Tensor]) -> None:
    own = net.state_dict()
    assert list(own) == list(state)
    assert all(torch.equal(own[key], state[key]) for key in own)


def as_mmagic(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the same tensors under mmagic's names, by the reference's table for whole nets."""
    lines = (line.split("\t") for line in key_list("map_basicvsr"))
    table = {theirs: ours for ours, theirs in lines}
    return {table[key]: value for key, value in state.items()}


@needs_golden
@pytest.mark.parametrize(
    "table", ["map_basicvsr", "map_iconvsr", "map_basicvsrpp_c64n7", "map_edvr_m_full", "map_edvr_l_wotsa"]
)
def test_mmagic_names_map_one_to_one(table: str) -> None:
    pairs = [line.split("\t") for line in key_list(table)]
    assert len(pairs) > 100
    for mmagic, basicsr in pairs:
        assert formats.basicsr_name(mmagic) == basicsr
        assert formats.basicsr_name(basicsr) == basicsr
    assert len({basicsr for _, basicsr in pairs}) == len(pairs)


@pytest.mark.parametrize("wrap", ["bare", "params", "params_ema", "parallel", "lightning"])
def test_basicsr_wrappers_load_to_the_same_net(wrap: str, tiny: dict[str, Tensor], tmp_path: Path) -> None:
    zeros = {key: torch.zeros_like(value) for key, value in tiny.items()}
    content = {
        "bare": tiny,
        "params": {"params": tiny},
        "params_ema": {"params": zeros, "params_ema": tiny},
        "parallel": {"params": {f"module.{key}": value for key, value in tiny.items()}},
        "lightning": {"state_dict": tiny, "epoch": 3},
    }[wrap]
    torch.save(content, tmp_path / "net.pth")
    net, architecture, _ = formats.load_net(tmp_path / "net.pth")
    assert architecture.name == "basicvsr"
    assert_same(net, tiny)
    assert not net.training and not any(p.requires_grad for p in net.parameters())


@needs_golden
@pytest.mark.parametrize("wrap", ["released", "training", "ema", "averaged"])
def test_mmagic_wrappers_load_to_the_same_net(wrap: str, tiny: dict[str, Tensor], tmp_path: Path) -> None:
    mmagic = as_mmagic(tiny)
    generator = {f"generator.{key}": value for key, value in mmagic.items()}
    zeros = {key: torch.zeros_like(value) for key, value in generator.items()}
    extra = {
        "step_counter": torch.ones(1),
        "discriminator.conv.weight": torch.ones(1, 3, 3, 3),
        "perceptual_loss.vgg.mean": torch.ones(3),
    }
    state = {
        "released": generator,
        "training": {**extra, **generator},
        "ema": {**extra, **zeros, **{f"generator_ema.{key}": value for key, value in mmagic.items()}},
        "averaged": {
            **zeros,
            "generator_ema.steps": torch.tensor(7),
            **{f"generator_ema.module.{key}": value for key, value in mmagic.items()},
        },
    }[wrap]
    torch.save({"state_dict": state, "meta": {"epoch": 1}, "optimizer": {"lr": 1e-4}}, tmp_path / "net.pth")
    net, _, _ = formats.load_net(tmp_path / "net.pth")
    assert_same(net, tiny)


@needs_golden
def test_mmagic_safetensors_load_too(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({f"generator.{key}": value for key, value in as_mmagic(tiny).items()}, tmp_path / "net.safetensors")
    net, _, _ = formats.load_net(tmp_path / "net.safetensors")
    assert_same(net, tiny)


@pytest.mark.parametrize(
    ("blocks", "channels", "scale", "fold"), [(2, 16, 4, 1), (3, 24, 2, 1), (2, 16, 2, 2)], ids=["x4", "x2", "folded"]
)
def test_repvsr_is_identified_by_its_shapes(blocks: int, channels: int, scale: int, fold: int, tmp_path: Path) -> None:
    net = RepVSR(channels, blocks, scale, fold)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    loaded = load(tmp_path / "net.pt", scale=scale)
    assert (loaded.arch, loaded.scale, loaded.source) == ("repvsr", scale, "path")
    assert_same(loaded.net, net.state_dict())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])
def test_own_format_keeps_arguments_extra_and_exact_buffers(dtype: torch.dtype, tmp_path: Path) -> None:
    net = BasicVSR(**TINY)
    path = tmp_path / "net.safetensors"
    formats.save(path, net, arch="basicvsr", config=TINY, extra={"degradation": "real"}, dtype=dtype)
    loaded = load(path)
    assert loaded.degradation == "real"
    for key, value in net.state_dict().items():
        stored = loaded.net.state_dict()[key]
        assert stored.dtype == torch.float32
        exact = "spynet.mean" in key or "spynet.std" in key
        assert torch.equal(stored, value if exact else value.to(dtype).float()), key


def test_own_format_of_an_unknown_architecture_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    formats.save(path, BasicVSR(**TINY), arch="future", config={})
    with pytest.raises(WeightsError, match="architecture 'future'"):
        load(path)


def test_own_format_with_wrong_arguments_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    formats.save(path, BasicVSR(**TINY), arch="basicvsr", config={**TINY, "depth": 3})
    with pytest.raises(WeightsError, match="no basicvsr can be built"):
        load(path)
    formats.save(path, BasicVSR(**TINY), arch="basicvsr", config={"channels": 8, "blocks": 3})
    with pytest.raises(WeightsError, match=r"missing: backward_trunk\.main\.2\.2\.conv1\.weight"):
        load(path)


def test_missing_unexpected_and_misshapen_keys_are_named(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "net.pth"

    def complaint(state: dict[str, Tensor]) -> str:
        torch.save({"params": state}, path)
        with pytest.raises(WeightsError) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "missing: conv_hr.bias" in complaint({k: v for k, v in tiny.items() if k != "conv_hr.bias"})
    without_trunk = {k: v for k, v in tiny.items() if not k.startswith("backward_trunk.main.0")}
    assert "missing: backward_trunk.main.0.weight" in complaint(without_trunk)
    assert "cannot be loaded as basicvsr: unexpected: extra.weight" in complaint(
        {**tiny, "extra.weight": torch.ones(1)}
    )
    assert "wrong shape: fusion.weight (8, 16, 3, 3)" in complaint({**tiny, "fusion.weight": torch.ones(8, 16, 3, 3)})
    assert "not finite: conv_last.bias" in complaint({**tiny, "conv_last.bias": torch.full((3,), torch.nan)})
    message = complaint({f"layer{i}.weight": torch.ones(1) for i in range(9)})
    assert "holds none of" in message and "layer0.weight, layer1.weight, layer2.weight and 6 more" in message


@needs_golden
@pytest.mark.parametrize(
    ("keys", "arch", "config"),
    [
        ("basicsr_basicvsr", "basicvsr", {"channels": 64, "blocks": 30}),
        ("mmagic_basicvsr_b2", "basicvsr", {"channels": 64, "blocks": 2}),
        ("basicsr_iconvsr_p2", "iconvsr", {"channels": 64, "blocks": 30, "padding": 2}),
        ("basicsr_iconvsr_p3", "iconvsr", {"channels": 64, "blocks": 30, "padding": 3}),
        ("mmagic_iconvsr_p3", "iconvsr", {"channels": 64, "blocks": 30, "padding": 3}),
        ("mmagic_basicvsrpp_c64n7", "basicvsr++", {"channels": 64, "blocks": 7}),
        ("basicsr_basicvsrpp_c64n7", "basicvsr++", {"channels": 64, "blocks": 7}),
        ("mmagic_edvr_m_full", "edvr", {"channels": 64, "frames": 5, "blocks": 10}),
        ("basicsr_edvr_m_full", "edvr", {"channels": 64, "frames": 5, "blocks": 10}),
        ("mmagic_realbasicvsr", "realbasicvsr", {"channels": 64, "blocks": 20, "cleaning_blocks": 20}),
        ("mmagic_realbasicvsr_b2", "realbasicvsr", {"channels": 64, "blocks": 2, "cleaning_blocks": 2}),
        ("mmagic_edvr_l", "edvr", {"channels": 128, "frames": 5, "blocks": 40}),
        ("mmagic_edvr_l_wotsa", "edvr", {"channels": 128, "frames": 5, "blocks": 40, "attention": False}),
        ("basicsr_edvr_l_f7", "edvr", {"channels": 128, "frames": 7, "blocks": 40}),
        ("basicsr_edvr_l_predeblur", "edvr", {"channels": 128, "frames": 5, "blocks": 40, "deblur": True}),
        ("basicsr_edvr_l_deblur", "edvr", {"channels": 128, "frames": 5, "blocks": 40, "deblur": True, "fine": True}),
        ("animesr_msrswvsr", "animesr", {"channels": 64, "blocks": [5, 3, 2], "hidden": 64}),
    ],
)
def test_every_released_layout_is_recognised_and_complete(
    keys: str, arch: str, config: dict[str, object], tmp_path: Path
) -> None:
    rows = [line.split("\t") for line in key_list(keys)]
    state = {key: torch.zeros([int(s) for s in shape.split("x")]) for key, shape, _ in rows}
    architecture, found, own = formats.identify(state, {}, tmp_path)
    assert (architecture.name, found) == (arch, config)
    with torch.device("meta"):
        net = architecture.build(found)
    assert {key: value.shape for key, value in net.state_dict().items()} == {k: v.shape for k, v in own.items()}


@needs_golden
@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ("basicsr_edvr_extractor_p2", "EDVR's feature"),
        ("mmagic_spynet", "SPyNet"),
    ],
)
def test_related_nets_are_named(keys: str, name: str, tmp_path: Path) -> None:
    rows = [line.split("\t") for line in key_list(keys)]
    torch.save({key: torch.zeros([int(s) for s in shape.split("x")]) for key, shape, _ in rows}, tmp_path / "net.pth")
    with pytest.raises(WeightsError, match=f"holds {name}"):
        load(tmp_path / "net.pth")


class Bomb:
    """An object that runs a command when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.victim),)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_pickled_code_is_rejected_and_never_runs(legacy: bool, tiny: dict[str, Tensor], tmp_path: Path) -> None:
    victim = tmp_path / "exploded"
    content = {"params": tiny, "meta": Bomb(victim)}
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="code or objects besides tensors"):
        load(tmp_path / "net.pth")
    assert not victim.exists()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><p>404", b"\x80\x02", b"PK\x03\x04" + bytes(99), b"\xff" * 7 + b"\0{ " * 9]
)
def test_files_that_are_no_checkpoints_are_rejected(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load(tmp_path / name)


def test_truncated_checkpoints_are_rejected(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(tiny, tmp_path / "net.pth")
    save_file(tiny, tmp_path / "net.safetensors")
    for path in (tmp_path / "net.pth", tmp_path / "net.safetensors"):
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(WeightsError, match="damaged"):
            load(path)


def test_files_without_weights_are_rejected(tmp_path: Path) -> None:
    contents: list[object] = [{}, {"params": {}}, [1, 2], {"epoch": 1}, torch.ones(3)]
    for content in contents:
        torch.save(content, tmp_path / "net.pth")
        with pytest.raises(WeightsError, match="holds no weights"):
            load(tmp_path / "net.pth")


def test_missing_checkpoint_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read: No such file"):
        load(tmp_path / "none.pth")


@needs_golden
def test_mmagic_file_matches_the_reference(tmp_path: Path) -> None:
    golden = Golden("basicvsr_mm_mirror")
    state = {f"generator.{key}": value for key, value in golden.state_dict().items()}
    torch.save({"state_dict": state, "meta": {}}, tmp_path / "net.pth")
    net = load(tmp_path / "net.pth").net
    with torch.inference_mode():
        out = net(golden.clip())[0]
    for name, info in golden.meta["arrays"].items():
        if info["of"] == "out":
            golden.check(name, out)


@needs_golden
@pytest.mark.parametrize(
    ("case", "table", "arch"),
    [("iconvsr_mm_p2_n6", "map_iconvsr", "iconvsr"), ("basicvsrpp", "map_basicvsrpp_c64n7", "basicvsr++")],
)
def test_mmagic_and_basicsr_files_load_to_the_same_net(case: str, table: str, arch: str, tmp_path: Path) -> None:
    mmagic = Golden(case).state_dict()
    names = dict(line.split("\t") for line in key_list(table))
    torch.save({"state_dict": {f"generator.{k}": v for k, v in mmagic.items()}}, tmp_path / "mmagic.pth")
    torch.save({"params": {names[k]: v for k, v in mmagic.items()}}, tmp_path / "basicsr.pth")
    first, second = load(tmp_path / "mmagic.pth"), load(tmp_path / "basicsr.pth")
    assert first.arch == second.arch == arch
    assert_same(second.net, first.net.state_dict())
    filled = sum(value.double().sum().item() for value in mmagic.values())
    loaded = sum(value.double().sum().item() for value in first.net.parameters())
    assert filled == pytest.approx(loaded, rel=1e-12)
