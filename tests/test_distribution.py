"""The distribution: its page shows no dead links or pictures, and its wheel has all weights and no pictures."""

import fnmatch
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vsrcli.zoo.catalogue import catalogue

ROOT = Path(__file__).resolve().parents[1]
TOOL: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]


@pytest.fixture(scope="module")
def page() -> str:
    """The README as package indexes show it."""
    text = (ROOT / "README.md").read_text("utf-8")
    for rule in TOOL["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    return text


def test_the_page_has_no_links_into_the_repository(page: str) -> None:
    assert [link for link in re.findall(r"\]\(([^)]*)\)", page) if not link.startswith(("https://", "#"))] == []


def test_the_page_keeps_all_sections(page: str) -> None:
    sections = re.findall(r"^#+ .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sections and re.findall(r"^#+ .*$", page, re.MULTILINE) == sections


def test_the_wheel_has_all_bundled_weights_and_no_pictures() -> None:
    wheel = TOOL["build"]["targets"]["wheel"]
    assert wheel["only-include"] == ["vsrcli", *wheel["sources"]] == ["vsrcli", "weights"]
    files = [f"weights/{path.name}" for path in (ROOT / "weights").iterdir()]
    kept = {name for name in files if not any(fnmatch.fnmatch(name, pattern) for pattern in wheel["exclude"])}
    bundled = {f"weights/{s.bundled}" for entry in catalogue().models.values() for s in entry.sources if s.bundled}
    assert bundled and bundled <= kept
    assert {Path(name).suffix for name in kept} == {".json", ".md", ".toml", ".safetensors"}
