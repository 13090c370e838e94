"""Chromium without a window, driven over its debugging pipe."""

import base64
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ..command import fail

ANSWER_S_MAX = 60


class Chromium:
    """One browser with one page, whose scripts are off, and which lists what it asks for."""

    def __init__(self) -> None:
        self.profile = tempfile.TemporaryDirectory(prefix="holdfast-chromium-")
        to_browser, self.sending = os.pipe()
        self.receiving, from_browser = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        command = f'exec chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage ' \
                  f'--no-first-run --disable-background-networking --user-data-dir="$1" ' \
                  f'--remote-debugging-pipe 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", command, "chromium", self.profile.name],
                                        pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=os.environ | {"HOME": self.profile.name})
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.session, self.buffer = 0, "", b""
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setScriptExecutionDisabled", value=True)

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self.sending)  # it ends with its pipe
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.receiving)
        self.profile.cleanup()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command, and its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.sending, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    fail(f"Chromium refuses {method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def next(self) -> dict[str, Any]:
        """The next message of the browser."""
        end = time.monotonic() + ANSWER_S_MAX
        while b"\0" not in self.buffer:
            if not select.select([self.receiving], [], [], max(0.0, end - time.monotonic()))[0]:
                fail(f"Chromium has not answered for {ANSWER_S_MAX} s")
            read = os.read(self.receiving, 1 << 20)
            if not read:
                fail("Chromium has ended")
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, page: Path, width: int, theme: str, medium: str = "screen") -> None:
        """Shows a file at a width, in light or dark, on a screen or as it is printed."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", media=medium,
                 features=[{"name": "prefers-color-scheme", "value": theme}])
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.next())

    def requests(self) -> list[str]:
        """What the page has asked for, but for itself; and what the browser complained of."""
        asked = [event["params"]["request"]["url"] for event in self.events
                 if event.get("method") == "Network.requestWillBeSent"]
        complaints = [event["params"]["entry"]["text"] for event in self.events
                      if event.get("method") == "Log.entryAdded"]
        return asked[1:] + complaints

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript on the page, whose own scripts stay off."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            fail(f"the page cannot be examined: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def screenshot(self, file: Path, height: int | None = None) -> None:
        """The page as a PNG; without a height all of it."""
        clip: dict[str, Any] = {}
        if height:
            width = self.evaluate("innerWidth")
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=True, **clip)["data"]
        file.write_bytes(base64.b64decode(picture))

    def pdf(self, file: Path) -> bytes:
        """The page as it is printed."""
        data = base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])
        file.write_bytes(data)
        return data
