"""The catalogue is complete, agrees with the nets, and helps with misspelt names."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from vsrcli.errors import UsageError
from vsrcli.zoo import catalogue as module
from vsrcli.zoo import store
from vsrcli.zoo.architectures import ARCHITECTURES
from vsrcli.zoo.catalogue import Catalogue, Entry, catalogue, parse

ENTRIES = list(catalogue().models.values())


def small_catalogue() -> Catalogue:
    """Return a catalogue of two architectures and two scales."""
    about = {"degradation": "bi", "trained_on": "X", "licence": "MIT", "sources": [{"bundled": "f", "sha256": "0"}]}
    return parse(
        {
            "default": ["big.a", "small.two"],
            "architectures": {name: {"title": name, "parameters": 1, "gflop": 1.0} for name in ("big", "small")},
            "models": {
                "big.a": {**about, "scale": 4},
                "big.b": {**about, "scale": 4},
                "small.four": {**about, "scale": 4},
                "small.two": {**about, "scale": 2},
            },
        }
    )


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        (None, None, "big.a"),
        (None, 2, "small.two"),
        ("big", None, "big.a"),
        ("BIG.B", 4, "big.b"),
        ("small", None, "small.four"),
        ("Small", 2, "small.two"),
    ],
)
def test_names_resolve_to_the_first_that_fits(name: str | None, scale: int | None, expected: str) -> None:
    assert small_catalogue().resolve(name, scale=scale).name == expected


def test_local_model_of_an_architecture_is_preferred() -> None:
    def at_hand(entry: Entry) -> bool:
        return entry.name == "big.b"

    assert small_catalogue().resolve("big", at_hand=at_hand).name == "big.b"
    assert small_catalogue().resolve("big.a", at_hand=at_hand).name == "big.a"


@pytest.mark.parametrize(
    ("name", "scale", "message"),
    [
        ("bigg.a", None, r"no model is called 'bigg\.a'; did you mean big\.a"),
        ("zzzz", None, "`vsr models` lists them all"),
        ("big", 2, "big upscales by x4, not by x2"),
        (None, 3, "the default model upscales by x2, x4, not by x3"),
    ],
)
def test_unknown_names_get_suggestions(name: str | None, scale: int | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        small_catalogue().resolve(name, scale=scale)


def test_misspelt_field_is_rejected() -> None:
    table = tomllib.loads((module.weights_folder() / "catalogue.toml").read_text())
    table["models"]["basicvsr.reds4"]["license"] = "MIT"
    with pytest.raises(TypeError, match="license"):
        parse(table)


def test_required_models_are_listed() -> None:
    tags = ("reds4", "vimeo90k-bi", "vimeo90k-bd")
    assert {f"{arch}.{tag}" for arch in ("basicvsr", "iconvsr", "basicvsr++") for tag in tags} <= set(
        catalogue().models
    )
    assert catalogue().resolve("basicvsr").name == "basicvsr.vimeo90k-bi"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_can_be_fetched_and_verified(entry: Entry) -> None:
    assert entry.arch in ARCHITECTURES
    assert entry.sources
    assert entry.degradation in ("bi", "bd", "mild", "real") and entry.content in ("film", "anime")
    for source in entry.sources:
        assert sum(place is not None for place in (source.bundled, source.package, source.url)) == 1
        assert set(source.sha256) <= set("0123456789abcdef") and len(source.sha256) in (8, 64)
        if source.bundled:
            assert len(source.sha256) == 64
            path, _ = store.expected_path(source)
            assert path is not None and store.sha256(path) == source.sha256
        if source.url:
            assert source.url.startswith("https://")
            assert Path(urlsplit(source.url).path).stem.endswith(source.sha256[:8])


def test_the_list_of_official_weights_is_the_catalogue() -> None:
    text = (Path(__file__).parents[2] / "weights" / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Official weights")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ") and "." in line]
    official = [entry for entry in ENTRIES if not any(source.bundled for source in entry.sources)]
    assert [row[0] for row in rows] == [entry.name for entry in official]
    for (_, paper, trained_on, licence, where), entry in zip(rows, official, strict=True):
        assert entry.title.split(" ")[0].replace("IconVSR", "BasicVSR") in paper
        assert (trained_on, licence) == (entry.trained_on, entry.licence)
        assert all(
            source.package in where if source.package else f"({source.url})" in where for source in entry.sources
        )


def test_the_readme_names_every_net_that_loads_by_path_alone() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    sentence = next(part for part in text.split(". ") if "load by a checkpoint's path" in " ".join(part.split()))
    listed = re.findall(r"[\w+-]+", sentence.partition(" load ")[0].lower())
    assert ARCHITECTURES.keys() - {entry.arch for entry in ENTRIES} <= set(listed)
