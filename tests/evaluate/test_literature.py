"""What papers report is as they print it, and agrees with the catalogue where both speak of one net."""

import pytest

from vsrcli.evaluate.evaluation import table, with_literature
from vsrcli.evaluate.literature import REPORTED, SURVEY, reported
from vsrcli.evaluate.published import SETS
from vsrcli.zoo.catalogue import Figures, catalogue


def test_rows_are_the_papers() -> None:
    rows = {row.name: row for row in REPORTED}
    assert len(rows) == len(REPORTED) == 20
    assert rows["MuCAN (survey)"].figures == {
        "reds4-bi": Figures(30.88, 0.8750), "vimeo90k-t-bi": Figures(37.32, 0.9465)
    }  # fmt: skip
    assert rows["FRVSR (survey)"].parameters == 5.1
    assert rows["FRVSR (survey)"].fps_720p == pytest.approx(1000 / 137, abs=0.05)
    own = rows["REPVSR (Hu and Yu)"]
    assert (own.fps_720p, own.fps_1080p) == (96.76, 37.52)
    assert own.figures["vid4-bd"] == own.figures["vid4-bi"] == Figures(26.85, 0.817)
    tests = {key.rpartition("-")[0] for row in REPORTED for key in row.figures}
    assert tests <= {benchmark.key for benchmark in SETS.values()}


@pytest.mark.parametrize(
    ("net", "models"),
    [
        ("BasicVSR", ["basicvsr.vimeo90k-bi", "basicvsr.vimeo90k-bd"]),
        ("IconVSR", ["iconvsr.vimeo90k-bi", "iconvsr.vimeo90k-bd"]),
        ("BasicVSR++", ["basicvsr++.vimeo90k-bi", "basicvsr++.vimeo90k-bd"]),
    ],
)
def test_the_catalogue_says_the_same(net: str, models: list[str]) -> None:
    row = next(row for row in REPORTED if (row.net, row.paper) == (net, SURVEY))
    seen = 0
    for model in models:
        entry = catalogue().models[model]
        assert entry.parameters / 1e6 == pytest.approx(row.parameters or 0.0, abs=0.06)
        for test, figures in entry.published.items():
            if test in row.figures:
                assert figures.psnr == pytest.approx(row.figures[test].psnr, abs=0.006)
                seen += 1
    assert seen >= 2


def test_they_stand_behind_what_is_measured() -> None:
    measured: list[dict[str, str | int | float | None]] = [{"clip": "mean", "method": "m", "psnr": 25.0}]
    rows = with_literature(measured, "vid4", "bd")
    assert rows[0] == measured[0]
    assert [row["method"] for row in rows[1:]] == [row.name for row, _ in reported("vid4", "bd")]
    duf = next(row for row in rows if row["method"] == "DUF (survey)")
    assert (duf["published_psnr"], duf["published_fps_720p"], duf["published_parameters"]) == (27.38, 1.0, 5.8)
    assert "published fps, 1080p" in table(rows, "y").markdown()
    assert not list(reported("udm10", "bi"))
