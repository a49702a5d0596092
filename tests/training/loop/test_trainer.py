"""Runs resume exactly, reduce the loss, and save weights that load."""

from pathlib import Path
from statistics import fmean

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from tests.training.make import TINY, textured
from vsrcli.cli.train import command
from vsrcli.errors import UsageError, WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.layers import Conv
from vsrcli.nets.reparam import merged_state
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.loop.trainer import Trainer
from vsrcli.zoo import formats, loading


def run(packed: Path, out: Path, iterations: int, *, resume: bool = False, method: str = "adam") -> Trainer:
    trainer = Trainer(recipe.parse(TINY + f'method = "{method}"', "tiny"), Pack([packed]), out)
    if resume:
        trainer.resume()
    while trainer.iteration < iterations:
        trainer.step()
    trainer.save()
    return trainer


@pytest.mark.parametrize("method", ["adam", "muon"])
def test_a_resumed_run_equals_an_uninterrupted_one(packed: Path, tmp_path: Path, method: str) -> None:
    whole = run(packed, tmp_path / "whole", 8, method=method)
    run(packed, tmp_path / "cut", 5, method=method)
    resumed = run(packed, tmp_path / "cut", 8, resume=True, method=method)
    for one, other in [
        (whole.net.state_dict(), resumed.net.state_dict()),
        (whole.average, resumed.average),
    ]:
        for key, value in one.items():
            torch.testing.assert_close(other[key], value, atol=0, rtol=0)


def test_a_resumed_run_says_in_what_its_recipe_differs(packed: Path, tmp_path: Path) -> None:
    def said(*changed: tuple[str, str]) -> list[str]:
        text, lines = TINY, list[str]()
        for one, other in changed:
            text = text.replace(one, other)
        trainer = Trainer(recipe.parse(text, "tiny"), Pack([packed]), tmp_path, say=lines.append)
        trainer.resume()
        trainer.step()
        return lines

    run(packed, tmp_path, 3)
    assert said() == []
    assert said(("warmup = 2", "rate = 2e-3\nwarmup = 2"), ("flow = 0.2", 'flow = 0.2\nkind = "l2"')) == [
        'goes on with another recipe: kind "charbonnier" -> "l2", rate 0.001 -> 0.002'
    ]
    for key, value in (("method", '"muon"'), ("frozen", '["flownet."]'), ("rates", '{ "flownet." = 0.5 }')):
        with pytest.raises(UsageError, match=f"cannot go on with another {key}: {key} "):
            said(("warmup = 2", f"{key} = {value}\nwarmup = 2"))
    with pytest.raises(UsageError, match=r"cannot go on with another config: config .*8.* -> .*16"):
        said(("channels = 8", "channels = 16"))
    held = ("warmup = 2", 'frozen = ["flownet."]\nfrozen_iterations = 2')
    Trainer(recipe.parse(TINY.replace(*held), "tiny"), Pack([packed]), tmp_path).save()
    with pytest.raises(UsageError, match="optimiser is for other weights"):
        said(held, ("frozen_iterations = 2", ""))


def test_the_state_of_a_run_is_told_apart_from_weights(packed: Path, tmp_path: Path) -> None:
    run(packed, tmp_path, 1)
    with pytest.raises(
        WeightsError, match=r"is the state of a training run.* weights are in best\.safetensors beside it$"
    ):
        loading.load(tmp_path / "last.pt")


def test_flow_net_is_trained_first_and_alone(packed: Path, tmp_path: Path) -> None:
    fresh = Trainer(recipe.parse(TINY, "tiny"), Pack([packed]), tmp_path).net.state_dict()
    trained = run(packed, tmp_path, 2).net.state_dict()
    changed = {key for key in fresh if not torch.equal(fresh[key], trained[key])}
    assert changed and all(key.startswith("flownet.") for key in changed)


def test_a_run_that_trains_only_the_flow_net_says_so(packed: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    plan = recipe.parse(TINY.replace("flow_iterations = 2", "flow_iterations = 8"), "tiny")
    Trainer(plan, Pack([packed]), tmp_path, say=lines.append)
    assert any("only the flow net is trained" in line for line in lines)


def test_training_lowers_the_loss(packed: Path, tmp_path: Path) -> None:
    plan = recipe.parse(TINY, "tiny").changed(iterations=24)
    trainer = Trainer(plan, Pack([packed]), tmp_path)
    losses = [trainer.step()["loss"] for _ in range(24)][plan.optimiser.flow_iterations :]
    assert fmean(losses[-4:]) < 0.97 * fmean(losses[:4])


def test_a_run_exports_weights_that_load(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(command, [str(_written(tmp_path)), "--data", str(packed), "--out", str(out)])
    assert result.exit_code == 0, result.output
    rows = (out / "log.csv").read_text().splitlines()
    assert rows[0].startswith("iteration,minutes") and rows[-1].startswith("8,")
    assert (out / "curve.svg").read_text().startswith("<svg")
    assert "gain" in (out / "best.md").read_text()
    assert (out / "last.pt").stat().st_size < 16e6
    model = loading.load(out / "best.safetensors")
    assert model.arch == "repvsr" and model.degradation == "bi" and model.scale == 4
    again = CliRunner().invoke(command, [str(_written(tmp_path)), "--data", str(packed), "--out", str(out)])
    assert isinstance(again.exception, UsageError) and "--resume" in str(again.exception)


def test_a_short_run_and_one_without_validation_leave_weights_too(packed: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.safetensors"
    save_file({"train/a": textured(5, 64, 64)}, bare)
    for data, said in ((packed, "1 of 8 iterations"), (bare, "no clip to validate on")):
        out = tmp_path / data.stem
        arguments = [str(_written(tmp_path)), "--data", str(data), "--out", str(out), "--minutes", "0.00001"]
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 0 and said in result.output
        assert loading.load(out / "best.safetensors").arch == "repvsr"


def test_log_rows_after_the_last_checkpoint_are_deleted(packed: Path, tmp_path: Path) -> None:
    trainer = run(packed, tmp_path, 3)
    (tmp_path / "log.csv").write_text("iteration,minutes\n1,0.1\n3,0.2\n5,0.3\n")
    trainer.resume()
    assert (tmp_path / "log.csv").read_text().splitlines() == ["iteration,minutes", "1,0.1", "3,0.2"]


def test_another_start_must_fit(packed: Path, tmp_path: Path) -> None:
    first = run(packed, tmp_path / "first", 4)
    first.export(tmp_path / "first.safetensors")
    lines: list[str] = []
    plan = recipe.parse(TINY, "tiny").changed(start=str(tmp_path / "first.safetensors"))
    Trainer(plan, Pack([packed]), tmp_path / "second", say=lines.append)
    assert any("reused" in line for line in lines)
    formats.save(tmp_path / "other.safetensors", BasicVSR(8, 1), arch="basicvsr", config={"channels": 8, "blocks": 1})
    with pytest.raises(UsageError, match="no weights of"):
        Trainer(plan.changed(start=str(tmp_path / "other.safetensors")), Pack([packed]), tmp_path / "third")


def test_a_run_can_start_from_merged_weights(packed: Path, tmp_path: Path) -> None:
    first = run(packed, tmp_path, 4)
    first.export(tmp_path / "first.safetensors")
    start = TINY.replace("[data]", f'start = "{tmp_path / "first.safetensors"}"\n[data]')
    second = Trainer(recipe.parse(start, "tiny"), Pack([packed]), tmp_path / "second")
    for key, value in merged_state(second.net).items():
        torch.testing.assert_close(value, first.average[key], atol=1e-3, rtol=1e-3)  # stored in float16


def _written(folder: Path) -> Path:
    path = folder / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize("multibranch", ["true", "false"])
def test_weights_stay_in_float32_with_bf16_arithmetic(packed: Path, tmp_path: Path, multibranch: str) -> None:
    text = TINY.replace('"fp32"', '"bf16"').replace("multibranch = true", f"multibranch = {multibranch}")
    trainer = Trainer(recipe.parse(text, "tiny"), Pack([packed]), tmp_path)
    assert {p.dtype for p in trainer.net.parameters()} == {torch.float32}
    seen: list[torch.dtype] = []
    trainer.net.get_submodule("srnet.tail").register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    trainer.iteration = 2
    trainer.step()
    assert set(seen) == {torch.bfloat16}
    averaged = trainer.averaged_net()
    assert {m.compute_dtype for m in averaged.modules() if isinstance(m, Conv)} == {None}
