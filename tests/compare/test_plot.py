"""The plot as SVG and as a picture: lines pass through the values."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from vsrcli.compare.plot import PALETTE, Panel, Series, plot_picture, plot_svg
from vsrcli.errors import UsageError

SVG = "{http://www.w3.org/2000/svg}"


def lines(svg: str, colour: str) -> list[list[tuple[float, float]]]:
    found = [e for e in ET.fromstring(svg).iter(SVG + "polyline") if e.get("stroke") == colour]
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in e.get("points", "").split())] for e in found]


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(SVG + "text")]


def test_values_are_proportional_between_ticks() -> None:
    svg = plot_svg([Panel("PSNR-Y (dB)", [Series("net", [20.0, 30.0, 25.0])])])
    curve = next(line for line in lines(svg, PALETTE[0]) if len(line) == 3)
    (x0, y0), (x1, y1), (x2, y2) = curve
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2) and y0 > y2 > y1
    assert (y0 - y2) == pytest.approx(y2 - y1, abs=0.2)
    assert {"20", "22", "30", "PSNR-Y (dB)", "frame", "net  25.00"} <= set(texts(svg))


def test_infinite_and_missing_values_leave_a_gap_and_no_mark_on_the_mean() -> None:
    svg = plot_svg([Panel("PSNR", [Series("a", [20.0, 21.0, math.inf, 24.0, 23.0, math.nan, 22.0])])])
    curves = [len(line) for line in lines(svg, PALETTE[0])]
    assert sorted(curves) == [1, 2, 2, 2]  # the swatch of the legend, two runs of two, a single frame
    assert "a  22.00" in texts(svg)


@pytest.mark.parametrize("values", [[5.0], [7.0, 7.0, 7.0], [math.inf, math.inf], [0.8001, 0.80012]])
def test_degenerate_series_are_drawn(values: list[float]) -> None:
    panels = [Panel("SSIM", [Series("<a & b>", values)], digits=4)]
    assert any("<a & b>" in t for t in texts(plot_svg(panels)))
    assert plot_picture(panels, density=1).shape[1] == 900


def test_the_picture_shows_each_line_in_its_colour() -> None:
    panels = [
        Panel("PSNR", [Series("a", [20.0, 21.0]), Series("b", [30.0, 30.0])]),
        Panel("SSIM", [Series("a", [0.5, 0.6])]),
    ]
    image = plot_picture(panels, width=400, panel_height=100, density=2)
    assert image.dtype == np.uint8 and image.shape[1] == 800
    for colour in PALETTE[:2]:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (image == rgb).all(-1).sum() > 500
    assert (image[:, :10] == 255).all()


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to plot"):
        plot_svg([Panel("PSNR", [])])


def test_values_may_stand_anywhere_along_the_axis() -> None:
    panels = [Panel("loss", [Series("a", [4.0, 2.0, 3.0], at=[0.5, 1.0, 2.0])], digits=None), Panel("gain", [])]
    svg = plot_svg(panels, axis="minutes")
    (x0, _), (x1, y1), (x2, y2) = next(line for line in lines(svg, PALETTE[0]) if len(line) == 3)
    assert x2 - x1 == pytest.approx(2 * (x1 - x0), abs=0.2) and y1 > y2
    assert {"minutes", "a", "0.5", "1", "2"} <= set(texts(svg)) and "frame" not in texts(svg)
