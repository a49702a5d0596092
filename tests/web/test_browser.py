"""The page of `vsr web` in a real browser: a file is dropped, tried, started, paused, finished and downloaded."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.media import make
from vsrcli.web.server import Site

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture(params=["light", "dark"])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{argument}")
    options.add_experimental_option("prefs", {"download.default_directory": str(tmp_path / "downloads")})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    features = {"features": [{"name": "prefers-color-scheme", "value": request.param}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture
def address(root: Path) -> Iterator[str]:
    site = Site(root)
    thread = threading.Thread(target=site.run)
    thread.start()
    try:
        yield site.address
    finally:
        site.stop()
        thread.join(60)


def contrast(browser: Any, chosen: str) -> float:
    """Return the contrast (WCAG 2) of an element's text and the first ground behind it that is not transparent."""
    script = """
      const light = (text) => {
        const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map((v) => v / 255)
          .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      let at = document.querySelector(arguments[0]);
      const text = light(getComputedStyle(at).color);
      while (at && getComputedStyle(at).backgroundColor === "rgba(0, 0, 0, 0)") at = at.parentElement;
      const ground = light(getComputedStyle(at).backgroundColor);
      return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    """
    return float(browser.execute_script(script, chosen))


def test_a_file_goes_all_the_way_through_the_page(browser: Any, address: str, root: Path, tmp_path: Path) -> None:
    def wait(what: Any, seconds: float = 60) -> Any:
        return WebDriverWait(browser, seconds, 0.1).until(what)

    def text(chosen: str) -> str:
        return str(browser.find_element(By.CSS_SELECTOR, chosen).text)

    def press(chosen: str) -> None:
        browser.find_element(By.CSS_SELECTOR, chosen).click()

    def button(name: str) -> Any:
        found = browser.find_elements(By.CSS_SELECTOR, "#jobs button, #jobs a")
        return next((one for one in found if one.text == name and one.is_displayed()), None)

    film = make.video(tmp_path / "film.mkv", frames=250, width=64, height=48)
    browser.get(address)
    wait(lambda _: text("#root") == "root")
    wait(lambda _: "No videos" in text("#entries"))
    assert not browser.find_element(By.ID, "start").is_enabled()

    browser.find_element(By.ID, "files").send_keys(str(film))
    wait(lambda _: text("#chosen-name") == "uploads/film.mkv")
    assert "64×48 · 250 frames" in text("#chosen-about")

    press("[name=model][value='repvsr.bd']")
    press("#try")
    wait(lambda _: len(browser.find_elements(By.CSS_SELECTOR, "#tried tr")) == 2, 120)
    wait(lambda _: browser.find_element(By.ID, "before").get_property("naturalWidth") == 256)
    assert all(word in text("#tried") for word in ("repvsr.bd", "about", "256×192"))
    slider = browser.find_element(By.ID, "slider")
    slider.send_keys(Keys.HOME)
    cut = "return document.getElementById('stage').style.getPropertyValue('--cut')"
    assert browser.execute_script(cut) == "0%"
    press("#tried tr:nth-child(2) input")
    assert text("#after-name") == "repvsr.bd" and text("#start") == "Start: film.mkv with repvsr.bd"

    press("#start")
    wait(lambda _: button("Pause"))
    wait(lambda _: "frame" in text("#jobs p") and int(text("#jobs p").split()[1]) > 62)
    button("Pause").click()
    wait(lambda _: button("Continue"))
    assert "paused" in text("#jobs") and "frames are kept" in text("#jobs")
    button("Continue").click()
    wait(lambda _: button("Download"), 120)
    assert "uploads/film_x4.mkv · 256×192 · 250 frames" in text("#jobs")
    wait(lambda _: "film_x4.mkv" in text("#entries"))
    button("Download").click()
    wait(lambda _: (tmp_path / "downloads" / "film_x4.mkv").exists())
    assert (root / "uploads" / "film_x4.mkv").read_bytes() == (tmp_path / "downloads" / "film_x4.mkv").read_bytes()

    make.video(root / "uploads" / "other.mkv", frames=4, width=32, height=32)
    browser.find_element(By.CSS_SELECTOR, "#crumbs li:last-child button").click()
    wait(lambda _: "other.mkv" in text("#entries"))
    browser.find_element(By.ID, "place").send_keys("large")
    press("#square")
    press("[data-path='*/uploads']")
    assert (
        text("#start") == "Start: all of uploads with repvsr.bd" and not browser.find_element(By.ID, "try").is_enabled()
    )
    press("#start")
    wait(lambda _: "large/other.mkv" in text("#jobs") and "large/film.mkv" in text("#jobs"), 120)
    press("#crumbs li:first-child button")
    wait(lambda _: "large/" in text("#entries"))
    press("[data-path='**/']")
    assert text("#start").startswith("Start: root and below")

    for chosen in ("h2", "#chosen-about", ".hint", "#start", "#try", "#jobs .lines", "#jobs a", "header p", "h1"):
        assert contrast(browser, chosen) >= 4.5, chosen
    unnamed = """return [...document.querySelectorAll("button, a, input, select, progress, img")].filter((one) =>
      !one.hidden && !(one.textContent.trim() || one.getAttribute("aria-label") || one.alt
      || (one.labels && one.labels.length))).map((one) => one.outerHTML)"""
    assert browser.execute_script(unnamed) == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    logged = [one for one in browser.get_log("browser") if one["level"] == "SEVERE"]
    assert logged == []
