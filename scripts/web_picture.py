"""Take a picture of the page of `vsr web` with a trial and a finished job, by headless Chromium.

    python scripts/web_picture.py FOLDER CLIP OUT.png [light|dark]

FOLDER is what the page shows, CLIP a short video in it. It needs selenium, chromium, chromedriver and Pillow.
"""

import base64
import io
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from vsrcli.web.server import Site

MODELS = ("repvsr.real", "repvsr.bi")
SIDE = (1280, 900)
WIDE, COLOURS = 900, 256
"""Of the file: its pixels and its palette, so that it is small."""


def main(folder: Path, clip: str, output: Path, scheme: str = "light") -> None:
    """Serve the folder, use the page as a person would, and save what it shows then."""
    site = Site(folder)
    threading.Thread(target=site.run, daemon=True).start()
    options = webdriver.ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        view = {"width": SIDE[0], "height": SIDE[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        browser.get(site.address)
        use(browser, clip)
        save(browser, output)
    finally:
        browser.quit()
        site.stop()


def use(browser: Any, clip: str) -> None:
    """Choose a clip, try two models, start one and wait for its result."""
    wait = WebDriverWait(browser, 900, 0.3)

    def shown(chosen: str) -> list[Any]:
        return [one for one in browser.find_elements(By.CSS_SELECTOR, chosen) if one.is_displayed()]

    wait.until(lambda _: any(clip in one.text for one in shown("#entries button")))
    next(one for one in shown("#entries button") if clip in one.text).click()
    wait.until(lambda _: shown("#chosen-about"))
    for name in ("", *MODELS):  # the first is ticked
        browser.find_element(By.CSS_SELECTOR, f"[name=model][value='{name}']").click()
    browser.execute_script("document.getElementById('models-list').scrollTop = 0")
    browser.find_element(By.ID, "try").click()
    wait.until(lambda _: len(shown("#tried tr")) == len(MODELS) and not shown("#trial-state button"))
    browser.find_element(By.ID, "start").click()
    wait.until(lambda _: shown("#jobs a"))


def save(browser: Any, output: Path) -> None:
    """Save the whole page as a PNG with few colours."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": SIDE[0], "height": height, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    picture = Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    small = picture.resize((WIDE, round(picture.height * WIDE / picture.width)), Image.Resampling.LANCZOS)
    small.quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=3).save(output, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), *sys.argv[4:5])
