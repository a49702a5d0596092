"""The card of trained weights says what they were trained on, what was held out, and whose answers they learnt from."""

from dataclasses import replace
from pathlib import Path

import torch

from tests.training.make import TINY
from vsrcli.training import recipe
from vsrcli.training.data.pack import Origins
from vsrcli.training.loop import card

ORIGINS = Origins(["walk.mp4", "hill.png", "walk.mp4"], ["lake.mp4"], ["basicvsr.reds4"])


def written(path: Path, made: recipe.Recipe) -> str:
    row = {"iteration": 8.0, "psnr": 26.5, "bicubic": 25.0}
    card.write(path, made, row, 1.0, torch.device("cpu"), ORIGINS)
    return path.read_text(encoding="utf-8")


def test_the_card_tells_training_held_out_and_answers_apart(tmp_path: Path) -> None:
    plain = recipe.parse(TINY, "tiny")
    text = written(tmp_path / "best.md", plain)
    assert "gain +1.500 dB" in text
    assert text.endswith("Trained on:\n\n- hill.png\n- walk.mp4\n\nHeld out, for validation alone:\n\n- lake.mp4\n")
    taught = written(tmp_path / "best.md", replace(plain, data=replace(plain.data, answers=0.8)))
    assert taught.endswith("- lake.mp4\n\nAnswers, a part of the targets, of:\n\n- basicvsr.reds4\n")
