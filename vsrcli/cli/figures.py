"""Times, sizes and plans in words."""

from typing import Any

from vsrcli.words import counted, rough, size_text


def rate_text(bits: float) -> str:
    """Return bits a second in powers of 1000: "640 kbit/s", "4.2 Mbit/s", "79 Mbit/s"."""
    unit, number = ("Mbit/s", bits / 1e6) if bits >= 1e6 else ("kbit/s", bits / 1e3)
    return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"


def run_in_words(report: dict[str, Any]) -> str:
    """Return a plan in words: "frame by frame", "windows of 30 frames, lookahead 10, tiles of 256x192"."""
    tile = [] if report["tile"] is None else ["tiles of {}x{}".format(*report["tile"])]
    if report["window"] == 1 and report["lookahead"] == 0 and not report["exact"]:
        return ", ".join(["frame by frame", *tile])
    window = "whole scenes" if report["window"] is None else f"windows of {counted(report['window'], 'frame')}"
    ahead = "to the scene's end" if report["exact"] else report["lookahead"]
    return ", ".join([window, f"lookahead {ahead}", *(tile or ["whole frames"])])


def forecast_lines(forecast: dict[str, Any]) -> dict[str, str]:
    """Return the lines of a plan about the job's time and the result's size."""
    speed = f"{forecast['fps']:.2f} fps" if forecast["fps"] >= 0.1 else f"{1 / forecast['fps']:.0f} s a frame"
    if forecast["seconds"] is None:
        return {"time": f"{speed} here; the source does not tell its length"}
    size = f"about {size_text(forecast['bytes'])} ({size_text(forecast['free_bytes'])} are free)"
    timed = "" if forecast["timed"] else ", as timed on a file before"
    frames = forecast["kept_frames"]
    kept = f"; kept of a run before: {counted(frames, 'frame')}" if frames else ""
    return {"time": f"about {rough(forecast['seconds'])} here, at {speed}{timed}{kept}", "size": size}
