"""A page opened in a browser without a network."""

import io
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
IN_CHROMIUM = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="headless Chromium is not installed")]
DRAWING = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
DESK = {"viewport": {"width": 1200, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
LOOKS = {"light": DESK | {"color_scheme": "light"}, "dark": DESK | {"color_scheme": "dark"}, "phone": PHONE}


@contextmanager
def launched(*options):
    """A browser that draws without a graphics card, for as long as the block lasts."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*DRAWING, *options])
        yield browser
        browser.close()


class Visit:
    """A page that was opened, with what it said and what it asked for."""

    def __init__(self, browser, address, script="", **options):
        self.said, self.asked = [], []
        self.context = browser.new_context(**{"offline": True, **options})
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        if script:
            self.page.add_init_script(script)
        self.page.goto(address)

    def outside(self, address):
        """Requests that left the page."""
        return [url for url in self.asked if url != address and not url.startswith(("data:", "blob:"))]


def pixels(locator, border=0):
    """Returns what is seen of an element, (height, width, 3), without a border."""
    seen = np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)
    return seen[border : len(seen) - border, border : seen.shape[1] - border]
