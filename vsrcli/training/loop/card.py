"""The model card of trained weights: recipe, data, versions and validation result."""

import platform
from pathlib import Path

import torch

from vsrcli import __version__
from vsrcli.files import write_whole
from vsrcli.training.data.pack import Origins
from vsrcli.training.recipe import Recipe
from vsrcli.words import rough


def write(
    path: Path,
    recipe: Recipe,
    row: dict[str, float],
    minutes: float,
    device: torch.device,
    origins: Origins,
    digests: list[str],
) -> None:
    """Write the card as Markdown.

    `row` is the log's line of the validation that chose these weights, `digests` are those of the packs.
    """
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    settings = [
        f"- {section}.{key}: {value}"
        for section, values in recipe.as_dict().items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value not in ("", (), {})
    ]
    lines = [
        f"# {recipe.net.arch}, {recipe.data.degradation} degradation",
        "",
        f"Recipe {recipe.name}, {row['iteration']:.0f} iterations, {rough(60 * minutes)} on {name} "
        f"({platform.machine()}), averaged weights, best by validation. vsr {__version__}, torch {torch.__version__}.",
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
        *_listed("Packs, with their SHA-256", digests),
        *_listed("Trained on", origins.sources),
        *_listed("Held out, for validation alone", origins.held_out),
        *(_listed("Answers, a part of the targets, of", origins.teachers) if recipe.data.answers else []),
    ]
    write_whole(path, ("\n".join(lines).rstrip() + "\n").encode())


def _listed(title: str, names: list[str]) -> list[str]:
    """Return a list of Markdown with its title, and nothing for no names."""
    return [f"{title}:", "", *(f"- {name}" for name in sorted(set(names))), ""] if names else []
