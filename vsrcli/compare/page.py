"""One HTML page that shows a picture before and after under a slider: no network, all images inside it."""

import base64
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

_MEDIA = {".jpg": "image/jpeg", ".png": "image/png"}


@dataclass(frozen=True)
class Picture:
    """An encoded picture with its ending (.jpg, .png), its label, and a line about it."""

    data: bytes
    ending: str
    label: str
    about: str = ""

    @property
    def url(self) -> str:
        """The picture itself, as a URL that needs no other file."""
        return f"data:{_MEDIA[self.ending]};base64,{base64.b64encode(self.data).decode()}"


def slider_page(title: str, line: str, before: Picture, after: Sequence[Picture], *, shape: tuple[int, int]) -> str:
    """Return a page with `before` on the left of a slider and one of `after`, to be chosen, on the right.

    `shape` is how wide and high the pictures are shown, whatever their pixels.
    """
    choices = "".join(
        f'<label><input type="radio" name="model" value="{i}"{" checked" if i == 0 else ""}> {html.escape(one.label)}'
        f"</label>"
        for i, one in enumerate(after)
    )
    images = "".join(
        f'<img class="after" alt="{html.escape(one.label)}" src="{one.url}"{"" if i == 0 else " hidden"}>'
        for i, one in enumerate(after)
    )
    about = json.dumps([one.about for one in after]).replace("<", "\\u003c")
    fields = {
        "TITLE": html.escape(title),
        "LINE": html.escape(line),
        "CHOICES": choices,
        "BEFORE_LABEL": html.escape(before.label),
        "BEFORE": before.url,
        "AFTER": images,
        "ABOUT": about,
        "STYLE": f":root {{ --wide: {shape[0]}; --high: {shape[1]}; }}\n{SLIDER_STYLE}",
        "SCRIPT": SLIDER_SCRIPT,
    }
    return re.sub(r"@([A-Z_]+)@", lambda place: fields[place[1]], _PAGE)  # once: what is put in may look like a place


SLIDER_STYLE = """
#stage { position: relative; width: 100%; max-width: calc(1px * var(--wide)); aspect-ratio: var(--wide) / var(--high);
 --cut: 50%; touch-action: pan-y; }
#stage.full { width: calc(1px * var(--wide)); max-width: none; }
#stage img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: fill; }
#stage .after { clip-path: inset(0 0 0 var(--cut)); }
#line { position: absolute; top: 0; bottom: 0; left: var(--cut); width: 2px; margin-left: -1px; background: #ffb81c;
 pointer-events: none; }
#slider { width: 100%; max-width: calc(1px * var(--wide)); margin: .5rem 0; accent-color: #ffb81c; }
.tag { position: absolute; top: .6rem; padding: .1rem .5rem; color: #fff; background: #0c0d11aa; border-radius: .4rem;
 pointer-events: none; }
"""
"""Rules for a stage with pictures over each other and a range below; --wide and --high are the picture's pixels."""

SLIDER_SCRIPT = """
const slide = (stage, slider) => {
  const move = (at) => { stage.style.setProperty("--cut", at + "%"); slider.value = at; };
  slider.addEventListener("input", () => move(slider.value));
  const drag = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const box = stage.getBoundingClientRect();
    move(Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width)));
  };
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("pointermove", drag);
  stage.addEventListener("dragstart", (event) => event.preventDefault());
};
"""
"""What moves the line between the pictures."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>@TITLE@</title>
<style>
body { margin: 0; padding: 1rem; background: #111216; color: #eee; font: 16px/1.4 system-ui, sans-serif; }
h1 { font-size: 1.1rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
p { margin: .2rem 0; color: #bbb; }
fieldset { border: 0; padding: 0; margin: .6rem 0; }
fieldset label { margin-right: 1.2rem; white-space: nowrap; }
#frame { overflow: auto; max-height: 80vh; }
@STYLE@</style>
</head>
<body>
<h1>@TITLE@</h1>
<p>@LINE@</p>
<fieldset><legend hidden>Model</legend>@CHOICES@
<label><input type="checkbox" id="full"> pixel by pixel</label></fieldset>
<div id="frame"><div id="stage">
<img alt="@BEFORE_LABEL@" src="@BEFORE@">@AFTER@
<div id="line"></div>
<span class="tag" style="left:.6rem">@BEFORE_LABEL@</span><span class="tag" style="right:.6rem" id="name"></span>
</div></div>
<input type="range" id="slider" min="0" max="100" step="0.1" value="50" aria-label="how much is shown of before">
<p id="about"></p>
<script>
"use strict";
@SCRIPT@
const about = @ABOUT@, stage = document.getElementById("stage"), slider = document.getElementById("slider");
const choose = (index) => {
  document.querySelectorAll(".after").forEach((image, i) => {
    image.hidden = i !== index;
    if (i === index) document.getElementById("name").textContent = image.alt;
  });
  document.getElementById("about").textContent = about[index];
};
document.querySelectorAll("[name=model]").forEach((radio) =>
  radio.addEventListener("change", () => choose(Number(radio.value))));
document.getElementById("full").addEventListener("change", (event) =>
  stage.classList.toggle("full", event.target.checked));
slide(stage, slider);
choose(0);
</script>
</body>
</html>
"""
