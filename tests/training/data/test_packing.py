"""Packs are made from real videos and photographs, and from other packs."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file

from tests.media import make
from tests.training.make import textured, write_video
from vsrcli.cli.train import command
from vsrcli.errors import InputError
from vsrcli.quality import metrics
from vsrcli.training.data import pictures
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.packing import compact, pack
from vsrcli.training.loop.validation import validation_pairs


def test_compact_pack_holds_the_same_clips_in_less_space(tmp_path: Path) -> None:
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
    for degradation in ("bi", "bd", "real", "mild"):
        lr, hr = validation_pairs(made, degradation, 4)[0]
        assert lr.shape == (1, 3, 3, 32, 32) and hr.shape == (1, 3, 3, 128, 128)
    with pytest.raises(InputError, match="no such file"):
        pack([tmp_path / "nowhere"], out)


def test_clips_of_equal_names_are_all_packed_and_read(tmp_path: Path) -> None:
    for folder, seed in (("a", 0), ("b", 1)):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "walk.mp4", textured(3, 144, 144, seed))
    assert pack([tmp_path / "a", tmp_path / "b"], tmp_path / "a" / "all.safetensors", frames=3, size=128) == 2
    assert pack([tmp_path / "b"], tmp_path / "b" / "all.safetensors", frames=3, size=128) == 1
    assert len(Pack([tmp_path / "a" / "all.safetensors", tmp_path / "b" / "all.safetensors"]).names("train")) == 3
