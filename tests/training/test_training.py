"""Training: packs from real media, batches by number, runs that resume exactly, losses that mean what they say."""

import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import Tensor

from tests.media import make
from tests.told import told
from vsrcli.cli.train import command
from vsrcli.compare.plot import PALETTE
from vsrcli.errors import InputError, UsageError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.layers import Conv
from vsrcli.nets.reparam import merged_state
from vsrcli.nets.repvsr import RepVSR
from vsrcli.quality import degrade, metrics
from vsrcli.training import recipe
from vsrcli.training.data import pictures, stills
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.packing import compact, pack
from vsrcli.training.data.real import CODECS, Codec, lower_real, transcode
from vsrcli.training.data.sampler import Sampler
from vsrcli.training.distill.answers import add_answers
from vsrcli.training.distill.refit import feature_loss
from vsrcli.training.distill.teacher import ConvLSTM, SpaceTime, attention
from vsrcli.training.loop import curve
from vsrcli.training.loop.muon import Muon, orthogonalised
from vsrcli.training.loop.trainer import Trainer
from vsrcli.training.loop.validation import validation_pairs
from vsrcli.training.loop.warm import take_over
from vsrcli.training.losses import charbonnier, endpoint_error, flow_warping, unrest
from vsrcli.training.recipe import DataRecipe
from vsrcli.zoo import formats, loading

TINY = """
[net]
arch = "repvsr"
config = { channels = 8, blocks = 1, multibranch = true }
[data]
degradation = "bi"
patch = 12
frames = 3
batch = 2
[loss]
flow = 0.2
[optimiser]
iterations = 8
warmup = 2
flow_iterations = 2
precision = "fp32"
"""


def textured(frames: int, h: int, w: int, seed: int = 0) -> Tensor:
    """uint8 (frames, 3, h, w) of a still texture that pans by a pixel a frame."""
    generator = torch.Generator().manual_seed(seed)
    still = torch.randint(0, 256, (3, h, w + frames), generator=generator, dtype=torch.uint8)
    return torch.stack([still[:, :, i : i + w] for i in range(frames)])


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_file(
        {"train/a": textured(5, 64, 64), "train/b": textured(5, 64, 72, 1), "validation/c": textured(3, 48, 48, 2)},
        path,
    )
    return path


def test_a_recipe_that_is_wrong_is_refused() -> None:
    for text, message in [
        (TINY.replace("[loss]", "[losses]"), "unknown section"),
        (TINY.replace("flow = 0.2", "flows = 0.2"), "has no flows"),
        (TINY.replace('"bi"', '"bicubic"'), "degradation"),
        (TINY.replace("flow = 0.2", "output = 0.5"), "output needs a teacher"),
        (TINY.replace("flow = 0.2", 'features = 1.0\nteacher = "basicvsr"'), "in iconvsr alone"),
        (TINY.replace("warmup = 2", 'schedule = "step"'), "needs a step"),
        ("net = ", "not TOML"),
    ]:
        with pytest.raises(UsageError, match=message):
            recipe.parse(text, "tiny")
    with pytest.raises(UsageError, match="no recipe called"):
        recipe.load("no-such-recipe")


def test_all_recipes_that_ship_are_valid() -> None:
    assert {"repvsr-bi", "repvsr-bd", "repvsr-real"} <= set(recipe.known())
    for name in recipe.known():
        assert recipe.load(name).optimiser.iterations > 0


def test_the_rate_warms_up_and_falls() -> None:
    cosine = recipe.OptimiserRecipe(iterations=100, rate=1.0, final_rate=0.1, warmup=10)
    assert cosine.rate_at(0) == pytest.approx(0.1)
    assert cosine.rate_at(10) == pytest.approx(1.0)
    assert cosine.rate_at(55) == pytest.approx(0.55)
    assert cosine.rate_at(100) == pytest.approx(0.1)
    step = replace(cosine, schedule="step", step=40)
    assert [step.rate_at(i) for i in (39, 40, 80)] == [1.0, 0.5, 0.25]


def test_a_batch_depends_on_its_number_alone(packed: Path) -> None:
    made = [Sampler(Pack([packed]), recipe.parse(TINY, "tiny").data, 4, seed=3) for _ in range(2)]
    lr, hr = made[0].batch(7)
    assert lr.shape == (2, 3, 3, 12, 12) and hr.shape == (2, 3, 3, 48, 48)
    torch.testing.assert_close(made[1].batch(7)[1], hr, atol=0, rtol=0)
    assert not torch.equal(made[0].batch(8)[1], hr)
    torch.testing.assert_close(degrade.bi(hr, 4), lr, atol=0, rtol=0)


def test_a_share_of_clips_stands_still(packed: Path) -> None:
    data = replace(recipe.parse(TINY, "tiny").data, still=0.5)
    clips = [clip for number in range(16) for clip in Sampler(Pack([packed]), data, 4, seed=0).batch(number)[1]]
    still = sum(torch.equal(clip[0], clip[-1]) for clip in clips)
    assert 0 < still < len(clips)


def test_only_clips_that_stand_still_must_be_steady() -> None:
    truth = torch.rand(2, 3, 3, 8, 8)
    truth[1] = truth[1, :1]
    sr = truth + torch.tensor([0.0, 0.1, 0.2])[:, None, None, None]
    assert unrest(sr, truth, "l2").item() == pytest.approx(0.01, rel=1e-3)
    assert unrest(sr[:1], truth[:1], "l2") == 0


def test_pairs_stay_aligned_through_every_augmentation(tmp_path: Path) -> None:
    lr = textured(5, 24, 20)
    hr = lr.repeat_interleave(4, -1).repeat_interleave(4, -2)
    save_file({"train/a": hr, "train-lr/a": lr}, tmp_path / "real.safetensors")
    data = replace(recipe.parse(TINY, "tiny").data, degradation="real")
    sampler = Sampler(Pack([tmp_path / "real.safetensors"]), data, 4, seed=0)
    for number in range(16):
        small, big = sampler.batch(number)
        # a level is 4e-3; the target's mean is brought to the small frame's, which they share, in float32
        torch.testing.assert_close(big[..., 1::4, 2::4], small, atol=1e-6, rtol=0)


def test_a_teachers_answers_are_packed_and_aimed_at(packed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name in ("one", "two"):
        net, config = RepVSR(channels=8, blocks=1), {"channels": 8, "blocks": 1}
        about = {"scale": 4, "degradation": "bi"}
        formats.save(tmp_path / f"{name}.safetensors", net, arch="repvsr", config=config, extra=about)
    teachers = [str(tmp_path / f"{name}.safetensors") for name in ("one", "two")]
    out = tmp_path / "taught.safetensors"
    asked = ["--teacher", teachers[0], "--teacher", teachers[1], str(packed), "-o", str(out), "--device", "cpu"]
    done = CliRunner().invoke(command, asked)
    assert done.exit_code == 0, done.output
    pack = Pack([out])
    assert len(pack.names("train")) == 2 and len(pack.names("validation")) == 1
    assert set(teachers) <= set(pack.sources), "the card must name whose answers were learnt from"
    for name in pack.names("train"):
        hr, _ = pack.pair("train", name)
        answer = pack.answer("train", name)
        lr = degrade.bi(hr[None].float() / 255, 4)
        mean = torch.stack([loading.load(teacher).net(lr)[0] for teacher in teachers]).mean(0)
        assert answer is not None and (answer.float() - mean.clamp(0, 1) * 255).abs().max() < 4  # bf16 and rounding
    truth = recipe.parse(TINY, "tiny").data
    lr, hr = Sampler(pack, truth, 4, seed=1).batch(5)
    same_lr, taught = Sampler(pack, replace(truth, answers=1.0), 4, seed=1).batch(5)
    _, both = Sampler(pack, replace(truth, answers=0.25), 4, seed=1).batch(5)
    assert torch.equal(lr, same_lr)
    torch.testing.assert_close(both, 0.75 * hr + 0.25 * taught)
    likeness = metrics.psnr(metrics.planes(taught), metrics.planes(degrade.imresize(lr, 4)))
    assert likeness.min() > metrics.psnr(metrics.planes(taught), metrics.planes(hr)).max(), "an answer to another crop"


def test_answers_need_a_pack_that_has_them_and_teachers_that_agree(packed: Path, tmp_path: Path) -> None:
    data = replace(recipe.parse(TINY, "tiny").data, answers=0.5)
    with told(UsageError, "vsr train --teacher adds them"):
        Sampler(Pack([packed]), data, 4, seed=0)
    with pytest.raises(UsageError, match="one degradation"):
        add_answers([packed], tmp_path / "no", ["repvsr.bi", "repvsr.bd"], clips_per_source=1)
    with pytest.raises(UsageError, match="one degradation"):
        add_answers([packed], tmp_path / "no", ["repvsr.real"], clips_per_source=1)
    with pytest.raises(UsageError, match="answers"):
        recipe.parse(TINY.replace('"bi"', '"bi"\nanswers = 1.5'), "tiny")


def test_a_pack_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "not.safetensors").write_bytes(b"no pack")
    for path in (tmp_path / "not.safetensors", tmp_path / "missing.safetensors"):
        with pytest.raises(InputError, match=path.name):
            Pack([path])
    save_file({"train/short": textured(2, 64, 64)}, tmp_path / "short.safetensors")
    with pytest.raises(UsageError, match="3 frames of 48x48"):
        Sampler(Pack([tmp_path / "short.safetensors"]), recipe.parse(TINY, "tiny").data, 4, 0)


def test_a_compact_pack_holds_the_same_clips_in_less(tmp_path: Path) -> None:
    smooth = {
        f"{part}/{name}": torch.from_numpy(np.stack([make.pattern(i, 128, 96) for i in range(5)])).permute(0, 3, 1, 2)
        for part, name in (("train", "a.001"), ("train", "a.002"), ("train", "b.001"), ("validation", "c.001"))
    }
    low = {key.replace("/", "-lr/"): clip[..., ::4, ::4] for key, clip in smooth.items()}
    low["train-answer/a.002"] = 255 - smooth["train/a.002"]
    save_file({k: v.contiguous() for k, v in (smooth | low).items()}, tmp_path / "whole.safetensors")
    small = tmp_path / "small.safetensors"
    done = CliRunner().invoke(command, ["--compact", "1", str(tmp_path / "whole.safetensors"), "-o", str(small)])
    assert done.exit_code == 0, done.output
    assert small.stat().st_size < 0.4 * (tmp_path / "whole.safetensors").stat().st_size
    whole, again = Pack([tmp_path / "whole.safetensors"]), Pack([small])
    assert len(again.names("train")) == 3
    for part in ("train", "validation"):
        for name in again.names(part):
            hr, lr = again.pair(part, name)
            true, true_lr = whole.pair(part, name.removeprefix("small/"))
            assert lr is not None and true_lr is not None and torch.equal(lr, true_lr)
            assert metrics.psnr(hr.float(), true.float()).min() > 38
    answer, true_answer = again.answer("train", "small/whole/a.002"), whole.answer("train", "whole/a.002")
    assert answer is not None and true_answer is not None
    assert metrics.psnr(answer.float(), true_answer.float()).min() > 38
    few = compact([tmp_path / "whole.safetensors"], small, 3 * len(pictures.compress(hr, lossless=False)))
    assert few == 2  # one for validation, one to train on, with their small frames


def test_pictures_are_read_alike_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision", reason="torchvision reads packs where PyAV is missing")
    clip = torch.from_numpy(np.stack([make.pattern(i) for i in range(3)])).permute(0, 3, 1, 2)
    data = pictures.compress(clip, lossless=True)
    monkeypatch.setitem(sys.modules, "av", None)
    assert torch.equal(pictures.decompress(data, 3), clip)


def test_warping_loss_is_least_for_the_true_flow() -> None:
    clip = textured(2, 16, 20)[None].float() / 255
    frame, neighbour = clip[:, 1], clip[:, 0]

    def loss(pixels: float) -> float:
        flow = torch.zeros(1, 2, 4, 5)
        flow[:, 0] = pixels
        return flow_warping(frame, neighbour, flow, 4, "l2").item()

    assert loss(0.25) < 0.2 * loss(0.0)  # the pan: what is at x now was at x + 1 HR before, but for the last column
    assert loss(1e4) > loss(0.25), "leaving the frame must not be a way out"


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


def test_flow_learns_first_and_alone(packed: Path, tmp_path: Path) -> None:
    fresh = Trainer(recipe.parse(TINY, "tiny"), Pack([packed]), tmp_path).net.state_dict()
    trained = run(packed, tmp_path, 2).net.state_dict()
    changed = {key for key in fresh if not torch.equal(fresh[key], trained[key])}
    assert changed and all(key.startswith("flownet.") for key in changed)


def test_training_lowers_the_loss_and_exports_weights_that_load(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(
        command, [str(_written(tmp_path)), "--data", str(packed), "--out", str(out), "--iterations", "40"]
    )
    assert result.exit_code == 0, result.output
    rows = (out / "log.csv").read_text().splitlines()
    assert rows[0].startswith("iteration,minutes") and rows[-1].startswith("40,")
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


def test_what_a_killed_run_had_logged_after_its_checkpoint_is_forgotten(packed: Path, tmp_path: Path) -> None:
    trainer = run(packed, tmp_path, 3)
    (tmp_path / "log.csv").write_text("iteration,minutes\n1,0.1\n3,0.2\n5,0.3\n")
    trainer.resume()
    assert (tmp_path / "log.csv").read_text().splitlines() == ["iteration,minutes", "1,0.1", "3,0.2"]


def test_tasks_are_not_mixed_up() -> None:
    result = CliRunner().invoke(command, ["--pack", "--teacher", "basicvsr", "videos", "-o", "out"])
    assert isinstance(result.exception, UsageError) and "--pack and --teacher" in str(result.exception)


def test_another_start_can_be_given_and_must_fit(packed: Path, tmp_path: Path) -> None:
    first = run(packed, tmp_path / "first", 4)
    first.export(tmp_path / "first.safetensors")
    lines: list[str] = []
    plan = recipe.parse(TINY, "tiny").changed(start=str(tmp_path / "first.safetensors"))
    Trainer(plan, Pack([packed]), tmp_path / "second", say=lines.append)
    assert any("took over" in line for line in lines)
    formats.save(tmp_path / "other.safetensors", BasicVSR(8, 1), arch="basicvsr", config={"channels": 8, "blocks": 1})
    with pytest.raises(UsageError, match="nothing of"):
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


def test_distillation_reaches_the_student_but_not_the_teacher(packed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    space_time = SpaceTime(8, 6)
    student = torch.randn(2, 3, 8, 5, 7, requires_grad=True)
    teacher = torch.randn(2, 3, 6, 5, 7, requires_grad=True)
    space, time = space_time(student, teacher)
    (space + time).backward()
    assert student.grad is not None and student.grad.abs().min() >= 0 and student.grad.abs().max() > 0
    assert teacher.grad is None
    torch.testing.assert_close(attention(student * 3), attention(student))
    same, _ = SpaceTime(6, 6)(teacher.detach(), teacher)
    assert same == 0


def test_memory_depends_on_the_order_of_frames() -> None:
    torch.manual_seed(0)
    lstm = ConvLSTM(4, 3)
    clip = torch.randn(1, 3, 4, 5, 5)
    assert lstm(clip).shape == (1, 3, 5, 5)
    assert not torch.allclose(lstm(clip), lstm(clip.flip(1)))


def test_charbonnier_is_a_smooth_l1() -> None:
    a = torch.tensor([0.0, 3.0], requires_grad=True)
    loss = charbonnier(a, torch.tensor([0.0, 1.0]))
    assert loss.item() == pytest.approx((1e-3 + 2) / 2, abs=1e-5)
    loss.backward()
    assert a.grad is not None and a.grad.isfinite().all()


@pytest.mark.parametrize("codec", CODECS[1:], ids=lambda codec: codec.encoder)
def test_real_codecs_damage_but_keep_every_frame(codec: Codec) -> None:
    clip = textured(4, 32, 64)
    decoded, better = (transcode(clip, codec.encoder, codec.at(quality)) for quality in (codec.worst, codec.best))
    assert decoded.shape == clip.shape and decoded.dtype == torch.uint8
    damage, less = ((frames.float() - clip.float()).abs().mean() for frames in (decoded, better))
    assert 1 < damage < 80 and less < damage


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.encoder)
def test_a_round_trip_through_a_codec_keeps_the_mean_of_flat_colours(codec: Codec) -> None:
    for colour in ([16, 16, 16], [128, 128, 128], [235, 235, 235], [200, 40, 40], [40, 40, 200]):
        clip = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(3, 3, 32, 32).contiguous()
        decoded = transcode(clip, codec.encoder, codec.at(codec.best)).float()
        assert (decoded - clip.float()).mean((0, 2, 3)).abs().max() <= 2  # 8-bit Y'CbCr has no closer colour


def test_real_degradation_is_drawn_anew_for_each_batch_and_keeps_the_mean(tmp_path: Path) -> None:
    save_file({"train/a": textured(4, 128, 128)}, tmp_path / "sharp.safetensors")
    made = Pack([tmp_path / "sharp.safetensors"])
    sampler = Sampler(made, DataRecipe("real", patch=16, frames=3, batch=1), 4, seed=3)
    (lr, hr), (other, _) = sampler.batch(0), sampler.batch(1)
    assert lr.shape == (1, 3, 3, 16, 16) and hr.shape == (1, 3, 3, 64, 64)
    assert torch.equal(sampler.batch(0)[0], lr) and not torch.equal(lr, other)
    assert torch.allclose(lr.mean((-2, -1)), hr.mean((-2, -1)), atol=1e-5)


def test_the_real_side_is_small_and_shows_the_same_picture() -> None:
    ramp = torch.linspace(0, 255, 128).expand(3, 3, 128, 128).to(torch.uint8)
    for seed in range(6):
        lr = lower_real(ramp, 4, torch.Generator().manual_seed(seed))
        assert lr.shape == (3, 3, 32, 32)
        expected = degrade.imresize(ramp.float(), 0.25)
        assert (lr.float() - expected).abs().mean() < 6  # a shift of one LR pixel alone would be 8


def test_stills_move_smoothly_and_differ_by_seed() -> None:
    photo = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), size=(160, 160), mode="bicubic")[0] * 255
    photo = photo.clamp(0, 255).to(torch.uint8)
    clip = stills.animate(photo, 4, 32, torch.Generator().manual_seed(1), front=photo.flip(-1))
    assert clip.shape == (4, 3, 32, 32) and clip.dtype == torch.uint8
    steps = clip.float().diff(dim=0).abs().mean((1, 2, 3))
    assert (steps > 0.01).all() and (steps < clip.float().std()).all()
    assert not torch.equal(clip, stills.animate(photo, 4, 32, torch.Generator().manual_seed(2)))


def write_video(path: Path, frames: Tensor) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[-2], frames.shape[-1], "yuv420p"
        for frame in frames:
            array = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))


def test_a_film_whose_title_is_not_utf8_is_packed(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4", textured(9, 144, 144))
    film = tmp_path / "film.mkv"
    make.ffmpeg("-i", tmp_path / "walk.mp4", "-metadata:s:v", "title=Caf? noir", "-c", "copy", film)
    film.write_bytes(film.read_bytes().replace(b"Caf?", b"Caf\xe9"))
    assert pack([film], tmp_path / "film.safetensors", frames=3, size=128, clips_per_source=2) == 2


def test_videos_and_photographs_become_a_pack_to_train_on(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    write_video(media / "walk.mp4", textured(9, 144, 144))
    write_video(media / "lake.mp4", textured(6, 144, 144, 1))
    picture = av.VideoFrame.from_ndarray(textured(1, 288, 288, 2)[0].permute(1, 2, 0).contiguous().numpy(), "rgb24")
    with av.open(str(media / "photo.png"), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height = stream.width = 288
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(picture))
    out = tmp_path / "all.safetensors"
    lines: list[str] = []
    count = pack([media], out, frames=3, size=128, clips_per_source=2, hold_out=("lake",), real=4, say=lines.append)
    made = Pack([out])
    assert count == len(made.names("train")) + len(made.names("validation")) == 6
    assert [n for n in made.names("validation") if "lake" not in n] == [] != made.names("validation")
    for name in made.names("train"):
        hr, lr = made.pair("train", name)
        assert hr.shape == (3, 3, 128, 128) and lr is not None and lr.shape == (3, 3, 32, 32)
    assert len(lines) == 3
    for degradation in ("bi", "bd", "real"):
        lr, hr = validation_pairs(made, degradation, 4)[0]
        assert lr.shape == (1, 3, 3, 32, 32) and hr.shape == (1, 3, 3, 128, 128)
    with pytest.raises(InputError, match="no such file"):
        pack([tmp_path / "nowhere"], out)


def test_clips_of_like_names_are_all_packed_and_all_read(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 1)):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "walk.mp4", textured(3, 144, 144, seed))
    assert pack([tmp_path / "a", tmp_path / "b"], tmp_path / "a" / "all.safetensors", frames=3, size=128) == 2
    assert pack([tmp_path / "b"], tmp_path / "b" / "all.safetensors", frames=3, size=128) == 1
    assert len(Pack([tmp_path / "a" / "all.safetensors", tmp_path / "b" / "all.safetensors"]).names("train")) == 3


def test_the_curve_is_drawn_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "iteration,minutes,rate,loss,flow_loss,gradient,psnr,bicubic\n1,0.1,1,0.5,0,1,,\n2,0.2,1,0.4,0,1,30,29\n"
    )
    curve.draw(log, tmp_path / "curve.svg")
    text = (tmp_path / "curve.svg").read_text()
    # each curve and its swatch in the legend
    curves = [line for line in text.splitlines() if line.startswith("<polyline") and PALETTE[0] in line]
    assert [line.count(",") for line in curves] == [2, 2, 1, 2] and "nan" not in text
    assert ">minutes<" in text and ">0.1<" in text and ">0.2<" in text


def test_iconvsr_starts_as_basicvsr_with_an_idle_refill() -> None:
    torch.manual_seed(0)
    teacher, student = BasicVSR(channels=4, blocks=1), IconVSR(channels=4, blocks=1)
    take_over(student, teacher.state_dict())
    lr, warped = torch.rand(1, 3, 8, 8), torch.rand(1, 4, 8, 8)
    flow = torch.zeros(1, 2, 8, 8)
    features = {"lr": lr, "backward": torch.rand(1, 4, 8, 8)}
    for branch in ("backward", "forward"):
        expected, _ = teacher.propagate(branch, {"lr": lr}, flow, (warped,))
        torch.testing.assert_close(student.propagate(branch, features, flow, (warped,))[0], expected)
    refilled = student.forward_fusion(torch.cat([warped, torch.rand_like(warped)], 1))
    torch.testing.assert_close(refilled, warped)


def test_refitting_aims_at_what_basicvsr_puts_out() -> None:
    torch.manual_seed(0)
    teacher, student = BasicVSR(channels=4, blocks=1), IconVSR(channels=4, blocks=1, keyframe_interval=0)
    take_over(student, teacher.state_dict())
    clip = torch.rand(1, 3, 3, 32, 32)
    loss = feature_loss(student, teacher, clip, "l2")
    loss.backward()
    assert loss > 0 and student.forward_trunk.main[0].weight.grad.abs().max() > 0
    with torch.no_grad():  # a fusion that only rectifies the forward feature, and a forward feature that needs none
        for trunk in (teacher.forward_trunk, student.forward_trunk):
            trunk.main[0].bias += 100
        teacher.fusion.weight.copy_(torch.cat([torch.zeros(4, 4), torch.eye(4)], 1)[..., None, None])
        teacher.fusion.bias.zero_()
        student.upconv1.load_state_dict(teacher.upconv1.state_dict())
        assert feature_loss(student, teacher, clip, "l2") < 1e-6
        torch.testing.assert_close(student(clip), teacher(clip), atol=1e-3, rtol=1e-3)


def test_endpoint_error_is_a_distance_with_a_bound() -> None:
    flow = torch.zeros(1, 2, 2, 2)
    assert endpoint_error(flow, flow + torch.tensor([3.0, 0.0]).view(2, 1, 1)) == pytest.approx(3, abs=0.01)
    assert endpoint_error(flow, flow + 50) == 4


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
        sum((p - 0.5).square().sum() for p in (*kernels, vector)).backward()
        optimiser.step()
    for p in (*kernels, vector):
        assert (p - 0.5).abs().mean() < 0.05
    orders = [len(group["params"]) for group in optimiser.param_groups if group["muon"]]
    assert orders == [2]


@pytest.mark.parametrize("multibranch", ["true", "false"])
def test_weights_stay_in_float32_where_the_arithmetic_is_bf16(packed: Path, tmp_path: Path, multibranch: str) -> None:
    text = TINY.replace('"fp32"', '"bf16"').replace("multibranch = true", f"multibranch = {multibranch}")
    trainer = Trainer(recipe.parse(text, "tiny"), Pack([packed]), tmp_path)
    assert {p.dtype for p in trainer.net.parameters()} == {torch.float32}
    seen: list[torch.dtype] = []
    trainer.net.srnet.tail.register_forward_hook(lambda _m, _i, output: seen.append(output.dtype))
    trainer.iteration = 2
    trainer.step()
    assert set(seen) == {torch.bfloat16}
    averaged = trainer.averaged_net()
    assert {m.compute_dtype for m in averaged.modules() if isinstance(m, Conv)} == {None}
