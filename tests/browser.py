"""Headless Chromium, for the tests of what a page shows."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image
from tools import package, tool

SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--force-color-profile=srgb",
]


class Browser:
    """A window on the files of one folder, which it gets from a server on this machine."""

    def __init__(self, driver, folder: Path, address: str) -> None:
        self.driver, self.folder, self.address = driver, folder, address

    def open(self, name: str, *, scheme: str = "light", motion: str = "no-preference", size=(1000, 1000)) -> None:
        """Show a file of the folder, as a reader with these preferences sees it."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.messages(), self.fetched()  # those of the page before
        self.driver.get(f"{self.address}/{name}")

    def show(self, name: str, content: str | bytes, **preferences) -> None:
        """Write a file into the folder and open it."""
        (self.folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        self.open(name, **preferences)

    def run(self, script: str, *arguments):
        """The result of a script in the page; of a promise, what it brings."""
        wrapped = (
            "const words = [...arguments], done = words.pop();"
            f"(async (...words) => {{{script}}})(...words).then(v => done([v]), e => done(String(e)))"
        )
        answer = self.driver.execute_async_script(wrapped, *arguments)
        assert isinstance(answer, list), answer
        return answer[0]

    def screenshot(self, width: int, height: int) -> Image.Image:
        """The top left of the page."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        told = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "optimizeForSpeed": True})
        return Image.open(io.BytesIO(base64.b64decode(told["data"]))).convert("RGB")

    def messages(self) -> list[str]:
        """What the console was told since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def fetched(self) -> list[str]:
        """The addresses that were asked for since the last call."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")  # tests write the same names again
        super().end_headers()


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    package("selenium")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = tool("chromium")
    for switch in [*SWITCHES, f"--user-data-dir={folder / '.profile'}"]:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(tool("chromedriver")))
    try:
        yield Browser(driver, folder, f"http://127.0.0.1:{server.server_port}")
    finally:
        driver.quit()
        server.shutdown()
        server.server_close()
