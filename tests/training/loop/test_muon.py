"""Muon descends by orthogonal updates."""

import torch

from vsrcli.training.loop.muon import Muon, orthogonalised


def test_muon_makes_updates_orthogonal_and_descends() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((2, 6, 40), (1, 40, 6)):
        scaled = torch.randn(*shape, generator=generator) * torch.logspace(0, 2, shape[1])[:, None]
        values = torch.linalg.svdvals(orthogonalised(scaled))
        assert values.min() > 0.3 and values.max() < 1.3
    kernels = [torch.nn.Parameter(torch.randn(4, 3, 3, 3, generator=generator)) for _ in range(2)]
    vector = torch.nn.Parameter(torch.randn(4, generator=generator))
    optimiser = Muon([{"params": [*kernels, vector], "factor": 1.0}])
    for step in range(600):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / 600)
        optimiser.zero_grad()
        torch.stack([(p - 0.5).square().sum() for p in (*kernels, vector)]).sum().backward()
        optimiser.step()
    for p in (*kernels, vector):
        assert (p - 0.5).abs().mean() < 0.05
    orders = [len(group["params"]) for group in optimiser.param_groups if group["muon"]]
    assert orders == [2]
