"""The card of trained weights says what they were trained on, what was held out, and whose answers they learnt from."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from tests.training.make import TINY
from vsrcli import __version__
from vsrcli.training import recipe
from vsrcli.training.data.pack import Origins, Pack
from vsrcli.training.loop import card
from vsrcli.training.loop.trainer import Trainer

ORIGINS = Origins(["walk.mp4", "hill.png", "walk.mp4"], ["lake.mp4"], ["basicvsr.reds4"])


def written(path: Path, made: recipe.Recipe, minutes: float = 1.0) -> str:
    row = {"iteration": 8.0, "psnr": 26.5, "bicubic": 25.0}
    card.write(path, made, row, minutes, torch.device("cpu"), ORIGINS, ["walk.safetensors: 0123"])
    return path.read_text(encoding="utf-8")


def test_the_card_tells_training_held_out_and_answers_apart(tmp_path: Path) -> None:
    plain = recipe.parse(TINY, "tiny")
    text = written(tmp_path / "best.md", plain)
    assert "gain +1.500 dB" in text
    assert text.endswith("Trained on:\n\n- hill.png\n- walk.mp4\n\nHeld out, for validation alone:\n\n- lake.mp4\n")
    taught = written(tmp_path / "best.md", replace(plain, data=replace(plain.data, answers=0.8)))
    assert taught.endswith("- lake.mp4\n\nAnswers, a part of the targets, of:\n\n- basicvsr.reds4\n")


def test_the_card_says_all_that_a_run_depends_on(packed: Path, tmp_path: Path) -> None:
    text = written(tmp_path / "best.md", recipe.parse(TINY, "tiny"), 0.3)
    assert f", 18 s on {torch.get_num_threads()} CPU" in text
    assert f" vsr {__version__}, torch {torch.__version__}.\n" in text
    lines = text.splitlines()
    for line in ("optimiser.seed: 0", "optimiser.frozen_iterations: 0", "data.answers: 0.0", "data.mirrored: False"):
        assert f"- {line}" in lines
    assert "Packs, with their SHA-256:\n\n- walk.safetensors: 0123\n" in text
    wanted = hashlib.sha256(packed.read_bytes()).hexdigest()
    assert Trainer(recipe.parse(TINY, "tiny"), Pack([packed]), tmp_path).digests == [f"tiny.safetensors: {wanted}"]
