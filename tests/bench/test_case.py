"""Names of models are resolved, or rejected with suggestions."""

from pathlib import Path

import pytest

from vsrcli.bench.case import Blueprint, blueprint, resolve
from vsrcli.bench.cost import parameters
from vsrcli.errors import UsageError, WeightsError
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import catalogue


def test_models_are_names_architectures_or_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSR_HOME", str(tmp_path))
    assert resolve("basicvsr.vimeo90k-bd")[0] == "basicvsr.vimeo90k-bd"
    assert resolve("RRN") == ("rrn", Blueprint("rrn", {}))
    assert resolve("EDVR") == ("edvr.reds4", Blueprint("edvr", {}))
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
