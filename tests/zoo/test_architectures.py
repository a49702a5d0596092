"""Every net describes itself fully in its own file."""

import sys
from pathlib import Path

import pytest
import torch

from tests.nets.small import SMALL, small
from vsrcli import nets
from vsrcli.errors import UsageError
from vsrcli.zoo.architectures import ARCHITECTURES, find, ordered
from vsrcli.zoo.formats import basicsr_name, identify
from vsrcli.zoo.loading import LoadedModel
from vsrcli.zoo.options import set_option


def loaded(arch: str) -> LoadedModel:
    net = small(arch)
    return LoadedModel(net, f"{arch}.pth", arch, net.scale, "path", Path(f"{arch}.pth"), "", None)


NEW_NET = """
from vsrcli.nets.marks import Architecture
from vsrcli.nets.rrn import RRN, read_config

class Wider(RRN):
    pass

ARCHITECTURE = Architecture("wider", Wider, "neuro.wide.", read_config, bounds={"width": (1, 9)}, before=("rrn",))
"""


def test_every_net_is_found_and_has_a_small_one_for_the_tests() -> None:
    assert sorted(ARCHITECTURES) == sorted(SMALL)


def test_a_new_net_needs_only_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wider.py").write_text(NEW_NET)
    monkeypatch.setattr(nets, "__path__", [*nets.__path__, str(tmp_path)])
    try:
        found = find()
    finally:
        sys.modules.pop("vsrcli.nets.wider", None)
    assert set(found) == {*ARCHITECTURES, "wider"}
    names = [one.name for one in ordered(found.values())]
    assert names.index("wider") < names.index("rrn")
    with pytest.raises(ValueError, match="'width' must be from 1 to 9"):
        found["wider"].check({"width": 10}, 10**9)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_net_is_tried_before_all_whose_markers_its_keys_have(arch: str) -> None:
    order, keys = list(ARCHITECTURES), small(arch).state_dict()
    also = [one.name for one in ARCHITECTURES.values() if any(key.startswith(one.marker) for key in keys)]
    assert set(also) == {arch, *ARCHITECTURES[arch].before}
    assert min(also, key=order.index) == arch


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_state_dict_of_each_net_is_recognised_with_its_arguments(arch: str) -> None:
    net = small(arch)
    architecture, config, state = identify(net.state_dict(), {}, Path("net.pth"))
    assert architecture.name == arch
    assert {key: config[key] for key in SMALL[arch]} == {
        key: list(value) if isinstance(value, tuple) else value for key, value in SMALL[arch].items()
    }
    again = architecture.build(config)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in state.items()}
    assert all(basicsr_name(key) == key for key in net.state_dict()) or arch == "basicvsr++"


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_options_are_attributes_of_the_net(arch: str) -> None:
    net = small(arch)
    for option in net.options:
        before = getattr(net, option)
        set_option([loaded(arch)], option, before)
        assert getattr(net, option) == before


def test_option_is_set_on_nets_that_have_it() -> None:
    models = [loaded("repvsr"), loaded("iconvsr")]
    set_option(models, "keyframe_interval", 3)
    assert models[1].net.keyframe_interval == 3 and models[1].net.cost_period == 3
    assert not hasattr(models[0].net, "keyframe_interval")
    with pytest.raises(UsageError, match="keyframe interval is an option of IconVSR, not of repvsr"):
        set_option(models[:1], "keyframe_interval", 3)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_nets_have_at_least_the_weights_that_kernels_counts(arch: str) -> None:
    architecture = ARCHITECTURES[arch]
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in SMALL[arch].items()}
    deep = {"layers": 128} if arch == "rlsp" else {"blocks": [128] * 3 if arch == "animesr" else 128}
    for config in (plain, {}):
        weights = sum(parameter.numel() for parameter in architecture.build(config).parameters())
        architecture.check(config, weights)
        with pytest.raises(ValueError, match="are too few"):
            architecture.check(config | deep | {"channels": 256}, weights)
    with pytest.raises(ValueError, match="must be from"):
        architecture.check({"channels": 257}, 10**9)


def test_folding_does_not_add_weights() -> None:
    net = ARCHITECTURES["nanovsr"]
    block = "forward_net.0.rbr_"
    sound = {f"{block}dense.0.weight": torch.zeros(8, 8, 3, 3), f"{block}1x1.0.weight": torch.zeros(8, 8, 1, 1)}
    for part in ("dense.1", "1x1.1", "identity"):
        sound |= {f"{block}{part}.{name}": torch.ones(8) for name in ("weight", "bias", "running_mean", "running_var")}
    assert net.adapt(sound)["forward_net.0.weight"][:, :, 1, 1].sum() == pytest.approx(8, abs=1e-3)
    many = 200_000  # squared, far more than any machine has
    for key, odd in {
        "dense.0.weight": torch.zeros(many, 1, 3, 3),
        "1x1.0.weight": torch.zeros(1, many, 1, 1),
        "dense.1.weight": torch.ones(many),
        "identity.running_var": torch.ones(many),
    }.items():
        with pytest.raises(ValueError, match=r"kernels of|wide"):
            net.adapt(sound | {f"{block}{key}": odd})
