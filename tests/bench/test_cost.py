"""The catalogue's costs equal those counted on the nets."""

import pytest
import torch

from vsrcli.bench.cost import flops, parameters
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import Entry, catalogue

SIZES = {(entry.arch, entry.parameters, entry.gflop): entry for entry in catalogue().models.values()}


@pytest.mark.parametrize("entry", SIZES.values(), ids=lambda entry: entry.name)
def test_parameters_and_gflop_are_those_of_the_net(entry: Entry) -> None:
    with torch.device("meta"):
        net = ARCHITECTURES[entry.arch].build(entry.config)
    assert net.scale == entry.scale
    assert parameters(net) == entry.parameters
    assert flops(net, 180, 320) / 1e9 == pytest.approx(entry.gflop, abs=0.06)
