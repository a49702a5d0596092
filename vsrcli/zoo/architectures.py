"""The list of architectures. The file of each net describes it, see `vsrcli/nets/marks.py`."""

from vsrcli.nets import (
    animesr,
    basicvsr,
    basicvsrpp,
    dflow,
    edvr,
    frvsr,
    iconvsr,
    nanovsr,
    realbasicvsr,
    repvsr,
    rlsp,
    rrn,
    rsdn,
    tdan,
    zsm,
)
from vsrcli.nets.marks import Architecture, Config, Shapes

__all__ = ["ARCHITECTURES", "UNSUPPORTED", "Architecture", "Config", "Shapes"]

ARCHITECTURES: dict[str, Architecture] = {
    net.ARCHITECTURE.name: net.ARCHITECTURE
    for net in (
        basicvsrpp,
        realbasicvsr,
        iconvsr,
        dflow,
        basicvsr,
        edvr,
        frvsr,
        repvsr,
        animesr,
        nanovsr,
        rrn,
        rlsp,
        rsdn,
        tdan,
        zsm,
    )
}
"""All architectures by name, in the order in which a checkpoint's keys are compared with their markers."""

UNSUPPORTED = {
    "pcd_align.": "EDVR's feature extractor alone, which is only a part of IconVSR",
    "basic_module.": "SPyNet alone, which is only a part of the video nets",
}
"""Known nets that cannot be loaded, by marker, so that the message can say so."""
