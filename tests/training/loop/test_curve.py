"""The curve is drawn from the log."""

from pathlib import Path

from vsrcli.compare.plot import PALETTE
from vsrcli.training.loop import curve


def test_the_curve_is_drawn_from_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "iteration,minutes,rate,loss,flow_loss,gradient,psnr,bicubic\n1,0.1,1,0.5,0,1,,\n2,0.2,1,0.4,0,1,30,29\n"
    )
    curve.draw(log, tmp_path / "curve.svg")
    text = (tmp_path / "curve.svg").read_text()
    # each curve and its swatch in the legend
    curves = [line for line in text.splitlines() if line.startswith("<polyline") and PALETTE[0] in line]
    assert [line.count(",") for line in curves] == [2, 2, 1, 2] and "nan" not in text
    assert ">minutes<" in text and ">0.1<" in text and ">0.2<" in text
