"""An installed Chromium without a window, driven through its DevTools protocol over a pair of pipes."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT = 120.0
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, " ": 32, "Tab": 9}


def find() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """A Chromium with one tab. Collects what the page writes to the console, and every address that it asks for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.profile = tempfile.mkdtemp(prefix="chromium-", dir=folder)
        command_read, self.commands = _pipe()
        self.answers, answer_write = _pipe()

        def hand_over() -> None:  # Chromium reads commands on 3 and answers on 4
            os.dup2(command_read, 3)
            os.dup2(answer_write, 4)

        self.process = subprocess.Popen(
            [
                *(find(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile}"),
                *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
                *("--disable-background-networking", "--disable-extensions", "--hide-scrollbars"),
                "about:blank",
            ],
            preexec_fn=hand_over,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self.left, self.number, self.session, self.loaded = b"", 0, None, False
        (tab, *_) = [one for one in self.send("Target.getTargets")["targetInfos"] if one["type"] == "page"]
        attached = self.send("Target.attachToTarget", targetId=tab["targetId"], flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.session = None
        try:
            self.send("Browser.close")
            self.process.wait(timeout=20)
        except (OSError, subprocess.TimeoutExpired, TimeoutError):
            self.process.kill()
            self.process.wait()
        os.close(self.commands)
        os.close(self.answers)
        shutil.rmtree(self.profile, ignore_errors=True)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        give_up = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(give_up)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, page: Path, width: int, height: int = 900, ready: str = "true") -> None:
        """Open a page in a window of a size in CSS pixels, and wait until an expression is true in it."""
        self.resize(width, height)
        self.messages.clear()
        self.requests.clear()
        self.send("Page.navigate", url=page.resolve().as_uri())
        self.wait(f"document.readyState === 'complete' && ({ready})")

    def resize(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression (also a promise's) in the page."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        give_up = time.monotonic() + TIMEOUT
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < give_up, f"never true: {expression}; console: {self.messages}"
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.ask("new Promise(done => setTimeout(() => requestAnimationFrame(() => done(1)), 150))")

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])
        self.settle()

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place in the window."""
        for shift in (3, 0):
            self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x + shift, y=y)
        self.settle()

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """Save a picture of the page, or of the window."""
        taken = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def print(self, path: Path) -> None:
        """Print the page as a PDF."""
        printed = self.send("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(printed["data"]))

    def _next(self, give_up: float) -> dict[str, Any]:
        """The next answer; what the browser tells unasked is noted."""
        while b"\0" not in self.left:
            if not select.select([self.answers], [], [], max(0.0, give_up - time.monotonic()))[0]:
                raise TimeoutError("Chromium gives no answer")
            piece = os.read(self.answers, 1 << 20)
            if not piece:
                raise OSError("Chromium has ended")
            self.left += piece
        line, _, self.left = self.left.partition(b"\0")
        found = json.loads(line)
        told, about = found.get("method"), found.get("params", {})
        if told == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif told == "Runtime.exceptionThrown":
            self.messages.append(str(about["exceptionDetails"]))
        elif told == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.messages.append(str([one.get("value", one.get("description")) for one in about["args"]]))
        elif told == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.messages.append(about["entry"]["text"])
        return found


def _pipe() -> tuple[int, int]:
    """A pipe whose ends have numbers above 9, so that 3 and 4 are free for Chromium."""
    import fcntl

    ends = os.pipe()
    moved = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return moved
