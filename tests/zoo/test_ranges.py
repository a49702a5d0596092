"""Ranges for int8 belong to one file of weights: they are found beside it, and not used for others."""

import json
from pathlib import Path

import pytest
import torch

from vsrcli.errors import OutputError, WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.zoo import formats, load, ranges, store
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import Entry, catalogue, weights_folder

CONFIG = {"channels": 8, "blocks": 1}
SHIPPED = [entry for entry in catalogue().models.values() if ranges.shipped(entry).exists()]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    formats.save(path, BasicVSR(**CONFIG), arch="basicvsr", config=CONFIG)
    return path


def made_for(weights: str) -> ranges.Calibration:
    names = [name for name, _ in BasicVSR(**CONFIG).int8_convs()]
    return ranges.Calibration(weights, ("a", "b ü"), {name: (-0.25, i + 0.5) for i, name in enumerate(names)})


def test_what_was_written_is_read_and_found_beside_the_checkpoint(checkpoint: Path) -> None:
    made = made_for(store.sha256(checkpoint))
    place = ranges.beside(checkpoint)
    ranges.write(place, made)
    assert ranges.read(place) == made
    assert load(checkpoint).net.ranges == made.ranges
    assert not load(checkpoint).net.prefers_int8, "nobody has measured what they cost"


def test_ranges_of_other_weights_are_not_used(checkpoint: Path) -> None:
    ranges.write(ranges.beside(checkpoint), made_for("0" * 64))
    net = load(checkpoint).net
    assert net.ranges is None and net.unfit_ranges == str(ranges.beside(checkpoint))
    torch.manual_seed(1)
    made = made_for(store.sha256(checkpoint))
    formats.save(checkpoint, BasicVSR(**CONFIG), arch="basicvsr", config=CONFIG)
    ranges.write(ranges.beside(checkpoint), made)
    assert load(checkpoint).net.ranges is None, "the weights have changed since"


def test_a_copy_of_a_models_file_has_the_models_ranges(tmp_path: Path) -> None:
    entry = catalogue().models["repvsr.real"]
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((weights_folder() / str(entry.sources[0].bundled)).read_bytes())
    ranges.write(ranges.beside(copy), made_for("0" * 64))  # of other weights, so they do not count
    net = load(copy).net
    assert net.ranges == ranges.read(ranges.shipped(entry)).ranges
    assert net.prefers_int8 == (entry.int8_loss is not None) == load(entry.name).net.prefers_int8


@pytest.mark.parametrize("text", ["", "[]", '{"weights": "0"}', '{"weights": "0", "videos": [], "ranges": {"a": [1]}}'])
def test_a_damaged_file_is_told_in_one_line(checkpoint: Path, text: str) -> None:
    ranges.beside(checkpoint).write_text(text, encoding="utf-8")
    with pytest.raises(WeightsError, match="is damaged: make it again by `vsr weights calibrate`"):
        load(checkpoint)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        ranges.write(tmp_path / "file" / "net.int8.json", made_for("0"))


def test_some_ranges_are_shipped() -> None:
    assert {entry.name for entry in SHIPPED} >= {"basicvsr.vimeo90k-bi", "animesr.v2"}
    assert all(entry in SHIPPED for entry in catalogue().models.values() if entry.int8_loss is not None)


@pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
def test_shipped_ranges_are_those_of_the_catalogues_weights(entry: Entry) -> None:
    found = ranges.read(ranges.shipped(entry))
    assert any(found.weights.startswith(source.sha256) for source in entry.sources), "calibrate the new weights"
    assert json.loads(ranges.shipped(entry).read_text(encoding="utf-8"))["videos"] == list(found.videos)
    with torch.device("meta"):
        net = ARCHITECTURES[entry.arch].build(dict(entry.config))
    assert {name for name, _ in net.int8_convs()} == set(found.ranges)
