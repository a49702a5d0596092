"""Plots of an ablation: the loss of each choice frame by frame, and quality by the number of keyframes.

With the axis "segments" the first is BasicVSR's Fig. 3, with "keyframe-interval" the second is IconVSR's Fig. 10.
"""

from collections.abc import Mapping, Sequence

from vsrcli.compare.plot import Panel, Series
from vsrcli.evaluate.ablation import Curve

KEYFRAMES = "keyframe-interval"


def keyframe_panels(curves: Mapping[str, Sequence[Curve]]) -> list[Panel]:
    """Return the panel of PSNR by keyframes of a clip, with a line for each model (by name) that was run with some.

    It is empty if none was.
    """
    lines = []
    for model, found in curves.items():
        if any(curve.choice.axis == KEYFRAMES for curve in found):
            kept = [curve for curve in found if curve.choice.axis in ("reference", KEYFRAMES)]
            points = sorted((curve.keyframes or 0.0, curve.psnr) for curve in kept)
            lines.append(Series(model, [psnr for _, psnr in points], at=[number for number, _ in points]))
    return [Panel("PSNR (dB) by keyframes of a clip", lines, digits=None)] if lines else []


def frame_panels(curves: Mapping[str, Sequence[Curve]]) -> list[Panel]:
    """Return a panel of losses by frame for each model (by name) and axis but that of keyframes."""
    panels = []
    for model, found in curves.items():
        for axis in dict.fromkeys(curve.choice.axis for curve in found):
            if axis not in ("reference", KEYFRAMES):
                lines = [Series(c.choice.label, c.losses) for c in found if c.choice.axis == axis]
                panels.append(Panel(f"{model}, {axis}: loss against the whole clip (dB)", lines, digits=3))
    return panels
