"""A table is the same in Markdown, CSV and JSON, and missing values stay blank."""

import csv
import io
import json
import math

from vsrcli.quality.report import Column, Table, Value, mean_row

COLUMNS = [Column("clip", "clip"), Column("psnr", "PSNR-Y"), Column("ssim", "SSIM-Y", 4), Column("frames", "frames")]
ROWS: list[dict[str, Value]] = [
    {"clip": "a|b", "psnr": 27.2374, "ssim": 0.82491, "frames": 41},
    {"clip": "city", "psnr": math.inf, "ssim": float("nan"), "frames": 34},
]


def test_markdown_is_aligned_and_escaped() -> None:
    assert Table(COLUMNS, ROWS).markdown() == (
        "| clip | PSNR-Y | SSIM-Y | frames |\n"
        "| ---- | -----: | -----: | -----: |\n"
        "| a\\|b |  27.24 | 0.8249 |     41 |\n"
        "| city |    inf |        |     34 |\n"
    )


def test_csv_keeps_full_precision() -> None:
    lines = list(csv.reader(io.StringIO(Table(COLUMNS, ROWS).csv())))
    assert lines[0] == ["clip", "psnr", "ssim", "frames"]
    assert lines[1] == ["a|b", "27.2374", "0.82491", "41"]
    assert lines[2] == ["city", "inf", "", "34"]


def test_json_is_strict_json() -> None:
    rows = json.loads(Table(COLUMNS, ROWS).json(), parse_constant=lambda c: (_ for _ in ()).throw(ValueError(c)))
    assert rows[0] == {"clip": "a|b", "psnr": 27.2374, "ssim": 0.82491, "frames": 41}
    assert rows[1] == {"clip": "city", "psnr": "inf", "ssim": None, "frames": 34}


def test_mean_leaves_out_what_not_every_row_has() -> None:
    mean = mean_row(
        [{"clip": "a", "psnr": 20.0, "vmaf": None}, {"clip": "b", "psnr": 30.0, "vmaf": 5.0}], clip="average"
    )
    assert mean == {"clip": "average", "psnr": 25.0}


def test_a_rounded_nothing_has_no_sign() -> None:
    table = Table([Column("loss", "loss", 3)], [{"loss": -0.0001}])
    assert "-0.000" not in table.markdown()
    assert "0.000" in table.markdown()
