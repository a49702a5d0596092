"""`vsr info` describes checkpoints and packs of training clips, and refuses hostile files as loading them does."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.command import vsr
from tests.training.make import textured
from vsrcli.nets.repvsr import RepVSR
from vsrcli.training.data.pack import write_pack
from vsrcli.training.data.pictures import compress
from vsrcli.zoo import formats, ranges
from vsrcli.zoo.catalogue import catalogue, weights_folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """An untrained REPVSR in vsr's own format."""
    path = tmp_path / "best.safetensors"
    about = {"scale": 4, "degradation": "bd", "recipe": "mine\x1b[2J", "iterations": 70}
    formats.save(path, RepVSR(8, 1), arch="repvsr", config={"channels": 8, "blocks": 1}, extra=about)
    return path


def test_a_checkpoint_is_described(checkpoint: Path) -> None:
    seen = json.loads(vsr("info", checkpoint, "--json").stdout)
    assert (seen["kind"], seen["architecture"], seen["scale"], seen["degradation"]) == ("checkpoint", "repvsr", 4, "bd")
    assert seen["parameters"] == sum(one.numel() for one in RepVSR(8, 1).parameters())
    assert seen["gflop_per_320x180_frame"] > 0 and seen["model"] is None and seen["int8_ranges"] is None
    assert seen["sha256"] == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert seen["declared"] == {
        "config": {"blocks": 1, "channels": 8},
        "iterations": 70,
        "recipe": "mine\x1b[2J",
    }
    assert vsr("info", checkpoint, "-m", "iconvsr").stderr == "--model not used: nothing is picked for these files\n"
    shown = vsr("info", checkpoint).stdout
    assert "  degraded  bd (blur)\n" in shown and "    recipe  mine\\x1b[2J\n" in shown
    assert "    config  blocks 1, channels 8\n" in shown and "no ranges beside it" in shown


@pytest.mark.parametrize("own", [True, False])
def test_ranges_for_int8_beside_a_checkpoint_are_told(checkpoint: Path, own: bool) -> None:
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest() if own else "0" * 64
    names = [name for name, _ in RepVSR(8, 1).int8_convs()]
    place = ranges.beside(checkpoint)
    ranges.write(place, ranges.Calibration(digest, ("a",), dict.fromkeys(names, (-1.0, 1.0))))
    assert json.loads(vsr("info", checkpoint, "--json").stdout)["int8_ranges"] == (str(place) if own else None)
    assert (f"ranges in {place}" if own else f"{place} was made for other weights") in vsr("info", checkpoint).stdout


def test_a_model_of_the_catalogue_is_recognised_by_its_digest(tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((weights_folder() / "repvsr.real.safetensors").read_bytes())
    seen = json.loads(vsr("info", copy, "--json").stdout)
    assert (seen["model"], seen["degradation"], seen["declared"]["recipe"]) == ("repvsr.real", "real", "repvsr-real")
    assert seen["int8_ranges"] == str(ranges.shipped(catalogue().models["repvsr.real"]))
    assert "repvsr.real.int8.json" in vsr("info", copy).stdout


def test_hostile_and_damaged_checkpoints_are_refused_in_a_line(tmp_path: Path, checkpoint: Path) -> None:
    class Calls:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "run",)  # type: ignore[return-value]

    hostile, cut, empty = tmp_path / "a.pth", tmp_path / "b.safetensors", tmp_path / "c.pt"
    torch.save({"params": {"conv.weight": Calls()}}, hostile)
    cut.write_bytes(checkpoint.read_bytes()[:-100])
    empty.touch()
    for path in (hostile, cut, empty, tmp_path / "missing.ckpt"):
        done = vsr("info", path)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and str(path) in done.stderr, done.stderr
        assert "video" not in done.stderr
    assert not (tmp_path / "run").exists()
    several = vsr("info", hostile, checkpoint, "--json")
    assert several.returncode == 3 and len(json.loads(several.stdout)) == 1


def test_a_pack_is_described_by_its_header(tmp_path: Path) -> None:
    path, clip = tmp_path / "pack.safetensors", textured(5, 48, 64)
    tensors = {
        "train/garden.001": clip,
        "train-lr/garden.001": clip[..., ::4, ::4].contiguous(),
        "train-answer/garden.001": clip.clone(),
        "train/garden.002": compress(clip, lossless=False),
        "validation/lake.001": clip[:3].clone(),
    }
    about = {"lengths": {"train/garden.002": 5}, "sources": ["garden.mp4"], "held_out": ["lake.mp4"], "teachers": ["m"]}
    write_pack(path, tensors, about)
    seen = json.loads(vsr("info", path, "--json").stdout)
    assert (seen["kind"], seen["train_clips"], seen["validation_clips"], seen["frames"]) == ("pack", 2, 1, 13)
    assert (seen["compressed_clips"], seen["clips_with_lr_frames"], seen["clips_with_answers"]) == (1, 1, 1)
    assert (seen["sources"], seen["held_out"], seen["teachers"]) == (["garden.mp4"], ["lake.mp4"], ["m"])
    assert [(one["name"], one["part"], one["frames"], one["size"]) for one in seen["clips"]] == [
        ("garden.001", "train", 5, [64, 48]),
        ("garden.002", "train", 5, None),
        ("lake.001", "validation", 3, [64, 48]),
    ]
    shown = vsr("info", path, "-v").stdout
    assert "     clips  2 to train on, 1 for validation\n" in shown and "64x48, compressed (1)" in shown
    assert "   answers  of m for 1 clip\n" in shown and "      clip  validation/lake.001\n" in shown
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert vsr("info", path).returncode == 1


def test_tensors_like_clips_that_are_none_are_no_pack(tmp_path: Path) -> None:
    save_file({"train/a": torch.zeros(2, 2)}, tmp_path / "a.safetensors")
    done = vsr("info", tmp_path / "a.safetensors")
    assert done.returncode == 1 and "a.safetensors: not a pack of training clips: make one by" in done.stderr
