"""Names of resolutions and models are understood, or refused with what there is."""

from pathlib import Path

import pytest

from vsrcli.bench.case import Blueprint, blueprint, parse_resolution, resolve
from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import catalogue
from vsrcli.zoo.cost import parameters


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("720p", (1280, 720)),
        ("1080P", (1920, 1080)),
        ("1440p", (2560, 1440)),
        ("4k", (3840, 2160)),
        ("96x64", (96, 64)),
    ],
)
def test_resolutions_are_names_or_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_resolution(text) == size


@pytest.mark.parametrize("text", ["", "8k", "1080", "8x100", "axb", "-64x64"])
def test_other_resolutions_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="720p"):
        parse_resolution(text)


def test_models_are_names_architectures_or_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))
    assert resolve("basicvsr.vimeo90k-bd")[0] == "basicvsr.vimeo90k-bd"
    assert resolve("EDVR") == ("edvr", Blueprint("edvr", {}))
    assert resolve("iconvsr.reds4") == ("iconvsr.reds4", Blueprint("iconvsr", {"padding": 2}))
    assert resolve("iconvsr") == ("iconvsr.bi", None), "the weights that ship go before those that must be fetched"
    with pytest.raises(UsageError, match="did you mean basicvsr"):
        resolve("basicvrs")
    with pytest.raises(WeightsError, match=r"net\.pth"):
        resolve(str(tmp_path / "net.pth"))


def test_random_nets_have_the_size_of_the_published() -> None:
    for name in ("basicvsr.reds4", "iconvsr.reds4", "iconvsr.vimeo90k-bi", "basicvsr++.reds4"):
        entry = catalogue().models[name]
        plan = blueprint(entry)
        assert parameters(ARCHITECTURES[plan.arch].build(dict(plan.config))) == entry.parameters
