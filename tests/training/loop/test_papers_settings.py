"""What the papers' recipes say: rates of parts, parts fixed at first, mirrored clips, epsilon, sigma, eq. 9 on LR."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.nets.small import small
from tests.training.make import TINY
from vsrcli.errors import UsageError
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sampler import Sampler
from vsrcli.training.loop.trainer import Trainer
from vsrcli.training.losses import charbonnier, distance, flow_warping, l2
from vsrcli.training.unroll import unroll
from vsrcli.zoo import loading

PLAIN = TINY.replace("flow_iterations = 2", "flow_iterations = 0").replace("warmup = 2", "warmup = 0")


def trainer_of(text: str, packed: Path, out: Path) -> Trainer:
    return Trainer(recipe.parse(text, "tiny"), Pack([packed]), out)


def moved(trainer: Trainer, iterations: int) -> dict[str, float]:
    """Return how far each parameter moves at most in so many iterations."""
    before = {name: p.detach().clone() for name, p in trainer.net.named_parameters()}
    for _ in range(iterations):
        trainer.step()
    return {name: float((p.detach() - before[name]).abs().max()) for name, p in trainer.net.named_parameters()}


def test_parts_learn_at_their_own_rates_and_the_longest_prefix_counts(packed: Path, tmp_path: Path) -> None:
    text = PLAIN + 'rate = 1e-4\nslow = ["srnet.tail"]\nrates = { "srnet." = 0.5, "srnet.head" = 0.125 }\n'
    optimiser = recipe.parse(text, "tiny").optimiser
    names = ("flownet.x", "srnet.body.0", "srnet.head.weight", "srnet.tail.weight")
    assert [optimiser.factor_of(name) for name in names] == [1.0, 0.5, 0.125, 0.1]
    steps = moved(trainer_of(text, packed, tmp_path), 1)  # Adam's first step is the rate, wherever there is a gradient
    for part, wanted in (("flownet.", 1e-4), ("srnet.body.", 5e-5), ("srnet.head", 1.25e-5), ("srnet.tail", 1e-5)):
        furthest = max(step for name, step in steps.items() if name.startswith(part))
        assert furthest == pytest.approx(wanted, rel=0.05), part


@pytest.mark.parametrize("method", ["adam", "muon"])
def test_parts_are_fixed_for_the_first_iterations_only(packed: Path, tmp_path: Path, method: str) -> None:
    text = PLAIN + f'frozen = ["flownet."]\nfrozen_iterations = 2\nmethod = "{method}"\n'
    trainer = trainer_of(text, packed, tmp_path)
    early = moved(trainer, 2)
    assert all((step == 0) == name.startswith("flownet.") for name, step in early.items() if "bias" not in name)
    trainer.save()
    late = moved(trainer, 2)
    assert all(step > 0 for name, step in late.items() if name.endswith("weight"))
    resumed = trainer_of(text, packed, tmp_path)
    resumed.resume()
    assert moved(resumed, 2) == late
    for_good = moved(trainer_of(text.replace("frozen_iterations = 2", ""), packed, tmp_path), 4)
    assert all(step == 0 for name, step in for_good.items() if name.startswith("flownet."))


def test_mirrored_clips_are_followed_by_themselves_in_reverse(packed: Path) -> None:
    text = PLAIN.replace("frames = 3", "frames = 3\nmirrored = true")
    data = recipe.parse(text, "tiny").data
    lr, hr = Sampler(Pack([packed]), data, 4, 0).batch(0)
    assert (lr.shape[1], hr.shape[1]) == (6, 6)
    for clips in (lr, hr):
        assert torch.equal(clips[:, 3:], clips[:, :3].flip(1)) and not torch.equal(clips[:, 0], clips[:, 1])
    plain = recipe.parse(PLAIN, "tiny").data
    assert torch.equal(Sampler(Pack([packed]), plain, 4, 0).batch(0)[0], lr[:, :3])


def test_the_sigma_of_bd_is_the_recipes(packed: Path, tmp_path: Path) -> None:
    blurred = PLAIN.replace('degradation = "bi"', 'degradation = "bd"')
    found = {}
    for sigma in (1.6, 1.5, 3.0):
        text = blurred.replace("patch = 12", f"patch = 12\nsigma = {sigma}")
        trainer = trainer_of(text, packed, tmp_path)
        lr, hr = trainer.sampler.batch(0)
        found[sigma] = float(lr.std())
        assert float(trainer.validation[0][0].std()) > 0 and float(hr.std()) > 0
    assert found[3.0] < found[1.6] < found[1.5]
    assert found[1.6] == float(trainer_of(blurred, packed, tmp_path).sampler.batch(0)[0].std())


def test_charbonniers_epsilon_is_the_recipes() -> None:
    a, b = torch.tensor([0.0, 3e-3], requires_grad=True), torch.zeros(2)
    assert charbonnier(a, b, 1e-8).item() == pytest.approx(1.5e-3, rel=1e-4)
    assert distance("charbonnier", 4e-3)(a, b).item() == pytest.approx((4e-3 + 5e-3) / 2, rel=1e-4)
    assert distance("l2") is l2
    charbonnier(a, b, 1e-8).backward()
    assert a.grad is not None and a.grad.tolist() == pytest.approx([0, 0.5])
    assert recipe.parse(PLAIN.replace("flow = 0.2", "epsilon = 1e-8"), "tiny").loss.epsilon == 1e-8


def test_the_flows_loss_compares_lr_frames_if_told(packed: Path, tmp_path: Path) -> None:
    text = PLAIN.replace("flow = 0.2", 'flow = 0.2\nflow_frames = "lr"\nkind = "l2"')
    trainer = trainer_of(text, packed, tmp_path)
    lr, _ = trainer.sampler.batch(0)
    with torch.no_grad():
        _, flows = unroll(trainer.net, lr)
        wanted = flow_warping(lr[:, 1:].flatten(0, 1), lr[:, :-1].flatten(0, 1), flows.flatten(0, 1), 1, l2)
    assert trainer.step()["flow_loss"] == pytest.approx(float(wanted), rel=1e-5)
    on_hr = trainer_of(text.replace('flow_frames = "lr"', ""), packed, tmp_path).step()["flow_loss"]
    assert on_hr != pytest.approx(float(wanted), rel=1e-2)


def test_repvsr_for_x2_is_trained_and_loads(packed: Path, tmp_path: Path) -> None:
    text = PLAIN.replace("multibranch = true", "multibranch = true, scale = 2")
    trainer = trainer_of(text, packed, tmp_path)
    lr, hr = trainer.sampler.batch(0)
    assert hr.shape[-1] == 2 * lr.shape[-1] and trainer.step()["loss"] > 0
    trainer.export(tmp_path / "x2.safetensors")
    assert loading.load(tmp_path / "x2.safetensors").scale == 2


def test_a_start_may_give_some_parts_alone(packed: Path, tmp_path: Path) -> None:
    given = {key: value + 0.01 for key, value in small("repvsr").state_dict().items()}
    save_file(given, tmp_path / "start.safetensors")
    sizes = "channels = 48, blocks = 4, multibranch = false"
    text = PLAIN.replace("channels = 8, blocks = 1, multibranch = true", sizes)
    start = f'start = "{(tmp_path / "start.safetensors").as_posix()}"\nstart_parts = ["flownet."]\n[data]'
    net = trainer_of(text.replace("[data]", start), packed, tmp_path).net
    for name, value in net.state_dict().items():
        assert torch.equal(value, given[name]) == name.startswith("flownet.")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('[optimiser]\nrates = { "srnet." = -1 }', "factors"),
        ("[optimiser]\nfrozen_iterations = 5", "needs frozen"),
        ("[data]\nsigma = 0", "above 0"),
        ('[loss]\nflow_frames = "sr"', "flow_frames"),
    ],
)
def test_what_makes_no_sense_is_refused(line: str, message: str) -> None:
    section = line.split("\n")[0]
    with pytest.raises(UsageError, match=message):
        recipe.parse(TINY.replace(section, line), "tiny")


def test_the_papers_recipes_say_what_the_papers_say() -> None:
    basicvsr, iconvsr, repvsr = (recipe.load(f"{name}-paper") for name in ("basicvsr", "iconvsr", "repvsr"))
    assert [round(basicvsr.optimiser.rate_at(i) / 1e-4, 3) for i in (0, 150_000)] == [2, 1.0]
    rates = {name: 2e-4 * iconvsr.optimiser.factor_of(name) for name in ("spynet.x", "edvr.x", "upconv1.x")}
    assert rates == pytest.approx({"spynet.x": 2.5e-5, "edvr.x": 1e-4, "upconv1.x": 2e-4})
    assert 2 * basicvsr.data.frames == 14 and basicvsr.data.mirrored and basicvsr.loss.epsilon == 1e-8
    assert [repvsr.optimiser.rate_at(i) for i in (0, 149_999, 150_000, 399_999)] == [1e-4, 1e-4, 5e-5, 2.5e-5]
    assert (repvsr.data.sigma, repvsr.loss.flow_frames, repvsr.data.batch) == (1.5, "lr", 4)
    assert recipe.load("repvsr-x2").net.config["scale"] == 2
