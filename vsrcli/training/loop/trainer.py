"""The training loop: optimise, average, validate, log and save checkpoints, so that a run can always be resumed."""

import csv
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vsrcli import log
from vsrcli.errors import InputError, Note, Reason, UsageError
from vsrcli.files import replacing, write_whole
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.reparam import merged_once, merged_state, reparameterize
from vsrcli.training import changes
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sampler import Pair, Sampler
from vsrcli.training.distill.refit import feature_loss
from vsrcli.training.distill.teacher import SpaceTime, Teacher, feature_channels, tapped
from vsrcli.training.loop import card
from vsrcli.training.loop.build import build, groups_of, thaw
from vsrcli.training.loop.muon import Muon
from vsrcli.training.loop.validation import score, validation_pairs
from vsrcli.training.losses import distance, endpoint_error, flow_warping, static_scene_loss
from vsrcli.training.recipe import Recipe
from vsrcli.training.unroll import clip_flows, unroll

Say = Callable[[str], None]

COLUMNS = ("iteration", "minutes", "rate", "loss", "flow_loss", "gradient", "psnr", "bicubic")
LONGEST_STEP = 5.0  # times the usual: a longer iteration was suspended, and its excess does not count
VALIDATE_EVERY = 500  # iterations
SAVE_EVERY = 3.0  # minutes
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def _unheard(iteration: int, total: int) -> None:
    """Take the number of an iteration that no caller listens to."""


class Trainer:
    """One run of a recipe.

    `out` receives last.pt (the full state), best.safetensors (the averaged weights with the best validation) with its
    card best.md, log.csv and curve.svg. Without validation clips, the last weights count as the best.
    """

    def __init__(
        self, recipe: Recipe, pack: Pack, out: Path, *, device: str | torch.device = "cpu", say: Say | None = None
    ) -> None:
        torch.manual_seed(recipe.optimiser.seed)
        self.recipe, self.out, self.device, self.say = recipe, out, torch.device(device), say or log.note
        self.net = build(recipe, self.say).to(self.device).train()
        self.net.set_training_precision(DTYPES[recipe.optimiser.precision])
        self.sampler = Sampler(pack, recipe.data, self.net.scale, recipe.optimiser.seed, self.device)
        data = recipe.data
        self.validation = validation_pairs(pack, data.degradation, self.net.scale, sigma=data.sigma)
        if not self.validation:
            lacking = "the last weights count as the best: the packs hold no clip to validate on"
            self.say(Note(lacking, Reason.NO_VALIDATION_CLIP))
        if 0 < recipe.optimiser.iterations <= recipe.optimiser.flow_iterations:
            self.say("only the flow net is trained: flow_iterations take up the whole run")
        groups = groups_of(self.net, recipe.optimiser)
        self._distance = distance(recipe.loss.kind, recipe.loss.epsilon)
        self.teacher, self.space_time = None, None
        if recipe.loss.teacher:
            self.teacher = Teacher(recipe.loss.teacher, self.device, DTYPES[recipe.optimiser.precision])
            if self.teacher.net.scale != self.net.scale:
                raise UsageError(f"recipe {recipe.name}: the teacher upscales by x{self.teacher.net.scale}")
        if self.teacher and (recipe.loss.space or recipe.loss.time):
            channels = (feature_channels(net, self.device) for net in (self.net, self.teacher.net))
            self.space_time = SpaceTime(*channels).to(self.device)
            groups.append({"params": list(self.space_time.parameters()), "factor": 1.0})
        kinds: dict[str, Callable[[Any], torch.optim.Optimizer]] = {"adam": torch.optim.Adam, "muon": Muon}
        self.optimiser = kinds[recipe.optimiser.method](groups)
        self.average = {k: v.clone() for k, v in merged_state(self.net).items()}
        self.origins, self.digests = pack.origins, pack.digests()
        self.iteration, self.minutes, self.best = 0, 0.0, -math.inf
        self._usual_step = 0.0
        self._loader = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Pair]] | None = None

    def run(self, *, minutes: float | None = None, on_iteration: Callable[[int, int], None] = _unheard) -> None:
        """Train for the recipe's iterations or `minutes` of this call, and save the state in `out`.

        Only iterations count as time, not validation or suspension of the process. The last iteration is validated.
        `on_iteration` is called after each with its number and that of the recipe's last.
        """
        start = saved = self.minutes
        total = self.recipe.optimiser.iterations
        going_on = self.iteration < total
        while going_on:
            began = time.monotonic()
            row = self.step()
            self._count(time.monotonic() - began)
            on_iteration(self.iteration, total)
            going_on = self.iteration < total and (minutes is None or self.minutes - start < minutes)
            if self.iteration % VALIDATE_EVERY == 0 or not going_on:
                self._validate(row)
                self._log(row)
            elif self.iteration % 50 == 0:
                self._log(row)
            if self.minutes - saved >= SAVE_EVERY:
                self.save()
                saved = self.minutes
        self.save()

    def step(self) -> dict[str, float]:
        """Run one iteration and return its line of the log."""
        optimiser, recipe = self.optimiser, self.recipe.optimiser
        lr, hr = self._batch()
        rate = recipe.rate_at(self.iteration)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        if recipe.frozen_iterations:
            thaw(self.net, recipe, self.iteration)
        flow_only = self.iteration < recipe.flow_iterations
        loss, flow_loss = self._losses(lr, hr, flow_only=flow_only)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        learning = [p for group in optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(learning, recipe.clip)
        optimiser.step()
        self.iteration += 1
        self._average()
        return {
            "iteration": self.iteration,
            "rate": rate,
            "loss": loss.item(),
            "flow_loss": flow_loss.item(),
            "gradient": float(norm),
        }

    def _batch(self) -> Pair:
        """Return this iteration's batch; for an accelerator the next one is prepared in the background."""
        if self.device.type == "cpu":
            return self.sampler.batch(self.iteration)
        number, ready = self._ahead or (-1, None)
        batch = ready.result() if ready and number == self.iteration else self.sampler.batch(self.iteration)
        self._ahead = (self.iteration + 1, self._loader.submit(self.sampler.batch, self.iteration + 1))
        return batch

    def _losses(self, lr: Tensor, hr: Tensor, *, flow_only: bool) -> tuple[Tensor, Tensor]:
        """Return the total loss, and the flow's warping loss alone (REPVSR eqs. 8-10)."""
        recipe = self.recipe.loss
        loss = lr.new_zeros(())
        if recipe.features:
            assert self.teacher
            return recipe.features * feature_loss(self.net, self.teacher.net, lr, self._distance), loss
        if flow_only:
            with merged_once(self.net):
                flows = clip_flows(self.net, lr, forward=False)
        else:
            tap: AbstractContextManager[list[Tensor]] = tapped(self.net) if self.space_time else nullcontext([])
            with tap as seen:
                sr, flows = unroll(self.net, lr)
            loss = self._distance(sr, hr) + self._distil(lr, sr, seen)
        if recipe.steady and not flow_only:
            loss = loss + recipe.steady * static_scene_loss(sr, hr, self._distance)
        if not (recipe.flow or flow_only):
            return loss, loss.new_zeros(())
        shown, scale = (hr, self.net.scale) if recipe.flow_frames == "hr" else (lr, 1)
        frames, previous = shown[:, 1:].flatten(0, 1), shown[:, :-1].flatten(0, 1)
        flow_loss = flow_warping(frames, previous, flows.flatten(0, 1), scale, self._distance)
        if not flow_only:
            return loss + recipe.flow * flow_loss, flow_loss
        if self.teacher and recipe.flow_teaching:
            return flow_loss + recipe.flow_teaching * endpoint_error(flows, self.teacher.flows(lr)), flow_loss
        return flow_loss, flow_loss

    def _distil(self, lr: Tensor, sr: Tensor, seen: list[Tensor]) -> Tensor:
        """Return the teacher's part of the loss: its frames as targets, its attention in space and its memory in time.

        `seen` are the student's features of each frame, if they are needed.
        """
        recipe = self.recipe.loss
        if self.teacher is None or not (recipe.output or recipe.space or recipe.time):
            return lr.new_zeros(())
        taught, teacher_features = self.teacher(lr, features=self.space_time is not None)
        loss = recipe.output * self._distance(sr, taught)
        if self.space_time and teacher_features is not None:
            h, w = lr.shape[-2:]  # nets pad frames, each as it needs
            both = (features[..., :h, :w] for features in (torch.stack(seen, 1), teacher_features))
            space, time_ = self.space_time(*both)
            loss = loss + recipe.space * space + recipe.time * time_
        return loss

    def _average(self) -> None:
        """Update the averaged merged weights.

        The decay grows with the run, so that the initial weights soon lose influence.
        """
        decay = min(self.recipe.optimiser.ema, (1 + self.iteration) / (10 + self.iteration))
        every = 5
        if self.iteration % every == 0:
            state = merged_state(self.net)
            floats = [k for k, v in state.items() if v.is_floating_point()]
            torch._foreach_lerp_([self.average[k] for k in floats], [state[k] for k in floats], 1 - decay**every)

    def averaged_net(self) -> RecurrentNet:
        """Return the net with the averaged weights, merged, in float32 and eval mode."""
        net = reparameterize(self.net)
        net.set_precision(torch.float32)
        net.load_state_dict(self.average)
        return net.eval()

    def _validate(self, row: dict[str, float]) -> None:
        if not self.validation:
            self.export(self.out / "best.safetensors")
            return
        net = self.averaged_net()
        net.set_precision(DTYPES[self.recipe.optimiser.precision])
        row["psnr"], row["bicubic"] = score(net, self.validation, self.device)
        if row["psnr"] > self.best:
            self.best = row["psnr"]
            self.export(self.out / "best.safetensors")
            path = self.out / "best.md"
            card.write(path, self.recipe, row, self.minutes, self.device, self.origins, self.digests)
        self.say(
            f"iteration {self.iteration}, {self.minutes:.1f} min: {row['psnr']:.3f} dB, "
            f"{row['psnr'] - row['bicubic']:+.3f} over bicubic"
        )

    def export(self, path: Path) -> None:
        """Write the averaged net, merged, in float16: the file that ships."""
        from vsrcli.zoo import formats

        config = {k: v for k, v in self.recipe.net.config.items() if k != "multibranch"}
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "scale": self.net.scale,
            "degradation": self.recipe.data.degradation,
            "recipe": self.recipe.name,
            "iterations": self.iteration,
            "minutes": round(self.minutes, 1),
        }
        formats.save(
            path, self.averaged_net(), arch=self.recipe.net.arch, config=config, extra=about, dtype=torch.float16
        )

    def save(self) -> None:
        """Write last.pt: everything that the next iteration depends on. A reader never sees a partial file."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "recipe": self.recipe.as_dict(),
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "iteration": self.iteration,
            "minutes": self.minutes,
            "best": self.best,
            "space_time": self.space_time.state_dict() if self.space_time else {},
        }
        with replacing(self.out / "last.pt") as temporary:
            torch.save(state, temporary)

    def resume(self) -> None:
        """Continue from last.pt, and say in what the recipe differs from the one followed so far.

        Raises InputError if it is missing or damaged, UsageError if its net or optimiser does not fit the recipe.
        """
        path = self.out / "last.pt"
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:
            raise InputError(f"{path}: cannot be resumed ({error})") from None
        changed = changes.since(state["recipe"], self.recipe.as_dict())
        if changed:
            self.say(f"goes on with another recipe: {', '.join(changed)}")
        self.net.load_state_dict(state["net"])
        try:
            self.optimiser.load_state_dict(state["optimiser"])
            if self.space_time:
                self.space_time.load_state_dict(state["space_time"])
        except (ValueError, RuntimeError):
            raise UsageError(
                f"{path}: its optimiser is for other weights than recipe {self.recipe.name} trains"
            ) from None
        self.average = state["average"]
        self.iteration, self.minutes, self.best = state["iteration"], state["minutes"], state["best"]
        self._delete_later_rows()

    def _delete_later_rows(self) -> None:
        """Delete from the log what a killed run wrote after its last checkpoint."""
        path = self.out / "log.csv"
        if path.exists():
            header, *rows = path.read_text().splitlines(keepends=True)
            kept = header + "".join(r for r in rows if int(r.partition(",")[0]) <= self.iteration)
            write_whole(path, kept.encode())

    def _count(self, seconds: float) -> None:
        usual = self._usual_step
        self._usual_step = 0.95 * usual + 0.05 * min(seconds, LONGEST_STEP * usual) if usual else seconds
        self.minutes += min(seconds, LONGEST_STEP * self._usual_step) / 60

    def _log(self, row: dict[str, float]) -> None:
        from vsrcli.training.loop import curve

        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" for k, v in {**row, "minutes": self.minutes}.items()})
        if "psnr" in row:
            curve.draw(path, self.out / "curve.svg")
