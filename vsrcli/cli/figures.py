"""Times, sizes and plans in words."""

from typing import Any

from vsrcli.words import counted


def clock(seconds: float) -> str:
    """Return a time such as "1:02" for 62.4."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough(seconds: float) -> str:
    """Return a time rounded to about a tenth: "40 s", "12 min", "3 h 20 min", "2 d 5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 36 * 60:
        return f"{minutes // 60} h {minutes % 60 // 5 * 5} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


def size_text(size: float) -> str:
    """Return a number of bytes in powers of 1000: "640 MB", "4.2 GB"."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.1f} {unit}" if size < 10 * least else f"{size / least:.0f} {unit}"
    return f"{size:.0f} bytes"


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
    timed = "" if forecast["sampled_frames"] else ", as timed on a file before"
    return {"time": f"about {rough(forecast['seconds'])} here, at {speed}{timed}", "size": size}
