"""Make docs/images/page.png, the service's page: ``python docs/page_picture.py`` (Chromium)."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import fijibridge as fb
from fijibridge.errors import ServiceError

PICTURE = Path(__file__).with_name("images") / "page.png"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"


def main() -> None:
    """Run a few jobs, then let the browser take the picture of the newest one."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "stacks"
        data.mkdir()
        os.environ["FIJIBRIDGE_FOLDERS"] = str(data)
        made = fb.make_fibsem((48, 192, 256), seed=3)
        fb.write_volume(made.volume, data / "cathode.tif")
        client = fb.Client(Path(folder) / "state")
        client.run("even_out", data / "cathode.tif")
        client.run("decurtain", data / "cathode.tif")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"]
        target = [f"--screenshot={PICTURE}", "--window-size=1280,1100", client.page]
        subprocess.run([CHROMIUM, *flags, *target], check=True, capture_output=True, timeout=120)
        with contextlib.suppress(ServiceError):  # it is gone before it has answered
            client.stop()


if __name__ == "__main__":
    main()
