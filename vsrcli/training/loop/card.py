"""The model card of trained weights: recipe, data and validation result."""

import platform
from pathlib import Path

import torch

from vsrcli.files import write_whole
from vsrcli.training.data.pack import Origins
from vsrcli.training.recipe import Recipe


def write(
    path: Path, recipe: Recipe, row: dict[str, float], minutes: float, device: torch.device, origins: Origins
) -> None:
    """Write the card as Markdown. `row` is the log's line of the validation that chose these weights."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    settings = [
        f"- {section}.{key}: {value}"
        for section, values in recipe.as_dict().items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value not in ("", (), 0.0)
    ]
    lines = [
        f"# {recipe.net.arch}, {recipe.data.degradation} degradation",
        "",
        f"Recipe {recipe.name}, {row['iteration']:.0f} iterations, {minutes:.0f} minutes on {name} "
        f"({platform.machine()}), averaged weights, best by validation.",
        "",
        f"Validation clips (not trained on): PSNR-Y {row['psnr']:.3f} dB, bicubic {row['bicubic']:.3f} dB, "
        f"gain {row['psnr'] - row['bicubic']:+.3f} dB.",
        "",
        "## Recipe",
        "",
        *settings,
        "",
        "## Data",
        "",
        *_listed("Trained on", origins.sources),
        *_listed("Held out, for validation alone", origins.held_out),
        *(_listed("Answers, a part of the targets, of", origins.teachers) if recipe.data.answers else []),
    ]
    write_whole(path, ("\n".join(lines).rstrip() + "\n").encode())


def _listed(title: str, names: list[str]) -> list[str]:
    """Return a list of Markdown with its title, and nothing for no names."""
    return [f"{title}:", "", *(f"- {name}" for name in sorted(set(names))), ""] if names else []
