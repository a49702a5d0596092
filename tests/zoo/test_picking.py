"""An architecture's weights are chosen by the source, also if the catalogue lacks some."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from vsrcli.errors import UsageError
from vsrcli.media.strength.compression import Compression
from vsrcli.zoo.catalogue import Catalogue, Entry, catalogue, parse, weights_folder
from vsrcli.zoo.picking import MILD_CRF, NOISY, choices, pick, wanted


def compressed(crf: float) -> Compression:
    return Compression("H.264", False, crf, "quantisers")


LOSSLESS = Compression("FFV1", True, 0.0, "codec")
MILD = compressed(MILD_CRF - 1)
MILDEST = compressed(min([MILD_CRF, *(e.from_crf for e in catalogue().models.values() if e.from_crf)]) - 1)
LOSSY = compressed(28.2)
UNKNOWN = Compression("CINEPAK", False, None, "nothing")


def listed(*models: tuple[str, str], default: str = "small.real", **fields: dict[str, Any]) -> Catalogue:
    """Return a catalogue of (name, degradation); `fields` are added to the models of an architecture."""
    about = {"scale": 4, "trained_on": "X", "licence": "MIT", "sources": [{"bundled": "f", "sha256": "0"}]}
    archs = {name.split(".")[0] for name, _ in models}
    return parse(
        {
            "default": [default],
            "architectures": {arch: {"title": arch, "parameters": 1, "gflop": 1.0} for arch in archs},
            "models": {
                name: {**about, "degradation": degradation, **fields.get(name.split(".")[0], {})}
                for name, degradation in models
            },
        }
    )


FULL = listed(
    ("big.vimeo-bi", "bi"), ("big.reds", "bi"), ("big.bd", "bd"), ("big.real", "real"),
    ("old.reds", "bi"), ("old.bd", "bd"),
    ("small.bi", "bi"), ("small.real", "real"),
    ("toon.v2", "real"), ("toon.v1", "real"),
    toon={"content": "anime"},
)  # fmt: skip
PLAIN = listed(("big.bi", "bi"), ("small.real", "real"), ("small.bi", "bi"))


@pytest.mark.parametrize(
    ("name", "source", "expected", "reason"),
    [
        ("big", LOSSLESS, "big.vimeo-bi", "the source is lossless (FFV1)"),
        ("BIG", MILD, "big.vimeo-bi", f"the source is hardly compressed (H.264, about CRF {MILD_CRF - 1:.0f})"),
        ("big", LOSSY, "big.real", "the source is compressed (H.264, about CRF 28)"),
        ("big", UNKNOWN, "big.real", "the source is compressed (CINEPAK)"),
        (
            "old",
            LOSSY,
            "old.reds",
            "the source is compressed (H.264, about CRF 28); old has no weights here for such a source",
        ),
        (None, LOSSY, "small.real", "the source is compressed (H.264, about CRF 28)"),
        (None, LOSSLESS, "small.bi", "the source is lossless (FFV1)"),
        ("toon", LOSSY, "toon.v2", "the source is compressed (H.264, about CRF 28)"),
    ],
)
def test_source_decides_among_an_architectures_weights(
    name: str | None, source: Compression, expected: str, reason: str
) -> None:
    found = pick(FULL, name, source)
    assert (found.entry.name, found.reason, found.lacking) == (expected, reason, None)


def test_threshold_separates_clean_from_compressed() -> None:
    assert wanted(compressed(MILD_CRF - 0.1)) == "bi"
    assert wanted(compressed(MILD_CRF)) == wanted(UNKNOWN) == "real"


@pytest.mark.parametrize(
    ("noise", "name"), [(1.0, "small.bi"), (NOISY["mild"], "small.mild"), (3.4, "small.mild"), (3.6, "small.real")]
)
def test_noise_asks_for_stronger_weights(noise: float, name: str) -> None:
    three = listed(("small.bi", "bi"), ("small.mild", "mild"), ("small.real", "real"))
    found = pick(three, None, replace(LOSSLESS, noise=noise))
    assert found.entry.name == name
    reason = "the source is lossless" if noise == 1 else f"the source has noise of about {noise:.0f} levels"
    assert found.reason == f"{reason} (FFV1)"
    assert wanted(replace(compressed(25), noise=noise)) == "real", "compression alone asks for them"


def test_weights_for_slight_compression_stand_between() -> None:
    three = listed(("small.bi", "bi"), ("small.mild", "mild"), ("small.real", "real"))
    own = {
        name: replace(three.models[name], from_crf=crf) for name, crf in (("small.mild", 15.0), ("small.real", 24.0))
    }
    three = Catalogue({**three.models, **own}, three.default)
    for source, name, words in (
        (LOSSLESS, "small.bi", "lossless"),
        (compressed(14.9), "small.bi", "hardly compressed"),
        (compressed(15), "small.mild", "mildly compressed"),
        (compressed(23.9), "small.mild", "mildly compressed"),
        (compressed(24), "small.real", "compressed"),
        (UNKNOWN, "small.real", "compressed"),
    ):
        found = pick(three, None, source)
        assert found.entry.name == name and found.reason.startswith(f"the source is {words} ("), found
    away = pick(three, None, compressed(20), at_hand=lambda entry: entry.name != "small.mild")
    assert away.entry.name == "small.real"


def test_weights_may_declare_their_own_threshold() -> None:
    late = listed(("big.bi", "bi"), ("big.real", "real"), ("small.real", "real"), big={"from_crf": 26.0})
    assert pick(late, "big", compressed(25.9)).entry.name == "big.bi"
    assert pick(late, "big", compressed(25.9)).reason == "the source is mildly compressed (H.264, about CRF 26)"
    assert pick(late, "big", compressed(26)).entry.name == "big.real"
    assert pick(late, None, compressed(23)).reason == "the source is compressed (H.264, about CRF 23)"


@pytest.mark.parametrize("source", [LOSSLESS, LOSSY])
def test_drawn_content_gets_weights_for_it(source: Compression) -> None:
    for name in (None, "toon"):
        found = pick(FULL, name, source, drawn=True)
        assert found.entry.name == "toon.v2" and found.reason.endswith(", and drawn") and found.lacking is None


def test_lack_of_weights_for_drawn_content_is_reported() -> None:
    found = pick(PLAIN, None, LOSSY, drawn=True)
    assert (found.entry.name, found.lacking) == ("small.real", "the catalogue has no weights for drawn content")
    found = pick(FULL, "big", LOSSY, drawn=True)
    assert (found.entry.name, found.lacking) == ("big.real", "big has no weights for drawn content")


def test_weights_for_film_and_drawn_content_are_kept_apart() -> None:
    both = listed(("small.real", "real"), ("small.bi", "bi"))
    models = {**both.models, "small.toon": parse_anime("small.toon")}
    mixed = Catalogue(models, both.default)
    assert [e.name for e in choices(mixed, None)[0]] == ["small.real", "small.bi"]
    assert pick(mixed, None, LOSSLESS, drawn=True).entry.name == "small.toon"
    assert pick(mixed, "small", LOSSY).entry.name == "small.real"


def parse_anime(name: str) -> Entry:
    return listed((name, "real"), small={"content": "anime"}).models[name]


def test_local_weights_are_preferred() -> None:
    def at_hand(entry: Entry) -> bool:
        return entry.name != "big.real"

    found = pick(FULL, "big", LOSSY, at_hand=at_hand)
    assert found.entry.name == "big.vimeo-bi" and found.reason.endswith("big has no weights here for such a source")
    assert pick(FULL, "big", LOSSY, at_hand=lambda entry: False).entry.name == "big.real"


def test_new_weights_are_chosen_once_they_are_listed() -> None:
    table = tomllib.loads((weights_folder() / "catalogue.toml").read_text("utf-8"))
    table["architectures"]["animesr"] = {"title": "AnimeSR", "parameters": 1, "gflop": 1.0}
    about = {"scale": 4, "trained_on": "X", "licence": "X", "sources": [{"bundled": "f", "sha256": "0"}]}
    for name in ("iconvsr.real", "basicvsr.real", "animesr.v2"):
        table["models"][name] = {**about, "degradation": "real"}
    table["models"]["animesr.v2"]["content"] = "anime"
    grown = parse(table)
    for arch in ("iconvsr", "basicvsr"):
        assert pick(grown, arch, LOSSY).entry.name == f"{arch}.real"
        assert pick(grown, arch, MILDEST).entry.name == f"{arch}.vimeo90k-bi"
    assert pick(grown, None, LOSSY).entry.name == "repvsr.real"
    assert pick(grown, None, LOSSY, drawn=True).entry.name == "animesr.v2"


@pytest.mark.parametrize("source", [LOSSLESS, MILDEST, LOSSY, UNKNOWN], ids=["lossless", "mild", "lossy", "unknown"])
@pytest.mark.parametrize(
    ("name", "clean", "real"),
    [
        (None, "repvsr.bi", "repvsr.real"),
        ("repvsr", "repvsr.bi", "repvsr.real"),
        ("iconvsr", "iconvsr.vimeo90k-bi", "iconvsr.real"),
        ("basicvsr", "basicvsr.vimeo90k-bi", "basicvsr.real"),
        ("basicvsr++", "basicvsr++.vimeo90k-bi", "basicvsr++.vimeo90k-bi"),
    ],
)
def test_shipped_catalogue_always_has_a_choice(name: str | None, clean: str, real: str, source: Compression) -> None:
    assert pick(catalogue(), name, source).entry.name == (clean if source in (LOSSLESS, MILDEST) else real)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean"):
        pick(FULL, "bigg", LOSSY)


def test_models_of_a_smaller_factor_are_taken_by_their_names_alone() -> None:
    about = {"degradation": "real", "trained_on": "X", "licence": "X", "sources": [{"bundled": "f", "sha256": "0"}]}
    both = parse(
        {
            "default": ["net.four"],
            "architectures": {"net": {"title": "net", "parameters": 1, "gflop": 1.0}},
            "models": {"net.two": {**about, "scale": 2}, "net.four": {**about, "scale": 4}},
        }
    )
    for name in (None, "net"):
        assert [entry.name for entry in choices(both, name)[0]] == ["net.four"]
