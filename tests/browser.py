"""A headless Chromium: one look at a report, or driven through the pipe of its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import threading
import time
from contextlib import contextmanager
from queue import Empty, Queue

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34, "Tab": 9, "Enter": 13}
_HEADLESS = ["--headless=new", "--no-sandbox", "--disable-gpu"]
_FLAGS = [*_HEADLESS, "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--remote-debugging-pipe"]  # fmt: skip
#: Written behind the page: the title then tells what the browser made of it.
_PROBE = """<script>
const drawn = [...document.images].filter(image => image.complete && image.naturalWidth > 100).length;
const wide = document.documentElement.scrollWidth > window.innerWidth + 1;
document.title = `drawn ${drawn} of ${document.images.length}, too wide: ${wide}`;
</script>"""


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to look at the page with")


def look_at(report, folder, width):
    """Open a copy of a report in a window of that width; give what the browser made of it, in words."""
    page = folder / "seen.html"
    page.write_text(report.read_text(encoding="utf-8") + _PROBE, encoding="utf-8")
    words = [CHROMIUM, *_HEADLESS, f"--window-size={width},900", "--dump-dom", page.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title is not None
    return title[1]


class Browser:
    """One page; `said` holds what the page wrote to the console or raised."""

    def __init__(self, profile):
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        # Chromium reads commands from its file 3 and writes answers to its file 4.
        script = f'exec "$@" 3<&{commands} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self._number, self._session = 0, None
        self._answers, self.said = Queue(), []
        threading.Thread(target=self._listen, daemon=True).start()
        made = self.send("Target.createTarget", url="about:blank")
        attached = self.send("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.size(1280, 800)

    def _listen(self):
        with os.fdopen(self._in, "rb") as stream:
            rest = b""
            while chunk := stream.read1(1 << 16):
                *messages, rest = (rest + chunk).split(b"\0")
                for message in map(json.loads, messages):
                    if "id" in message:
                        self._answers.put(message)
                    elif message["method"] == "Runtime.exceptionThrown":
                        self.said.append(json.dumps(message["params"]["exceptionDetails"])[:600])
                    elif message["method"] == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                        entry = message["params"]["entry"]
                        self.said.append(f"{entry['text']} {entry.get('url', '')}")

    def send(self, method, **parameters):
        self._number += 1
        order = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._out, json.dumps(order).encode() + b"\0")
        try:
            answer = self._answers.get(timeout=60)
        except Empty as error:
            raise AssertionError(f"the browser does not answer to {method}") from error
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, address):
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=address)

    def js(self, expression):
        """Evaluate an expression in the page, promises awaited."""
        done = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, expression, seconds=60.0):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.js(f"Boolean({expression})")
            if found:
                return
            time.sleep(0.05)
        raise AssertionError(
            f"never true: {expression}; the page: {self.js('document.body.innerText')[:2000]}; {self.said}"
        )

    def key(self, name):
        """Press a key, as a person would."""
        plain = {"key": name, "code": name if name in _KEYS else f"Key{name.upper()}"}
        code = _KEYS.get(name) or ord(name.upper())
        text = {"text": "\r"} if name == "Enter" else {} if name in _KEYS else {"text": name}
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, windowsVirtualKeyCode=code, **plain, **more)

    def type(self, selector, text):
        """Replace what a field holds."""
        self.js(f"document.querySelector({json.dumps(selector)}).select()")
        self.send("Input.insertText", text=text)

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            buttons = 1 if kind == "mousePressed" else 0
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def size(self, width, height):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, name):
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def save_downloads(self, folder):
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    def picture(self, path, *, whole=False):
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        self._process.terminate()
        self._process.wait(20)
        os.close(self._out)


@contextmanager
def browsing(profile):
    """Start a browser and end it."""
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.close()
