"""Fonts for Java: those that matplotlib brings, so that text is drawn on a bare system too, and alike everywhere."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

_FAMILIES = {
    "serif": "DejaVuSerif",
    "sansserif": "DejaVuSans",
    "monospaced": "DejaVuSansMono",
    "dialog": "DejaVuSans",
    "dialoginput": "DejaVuSansMono",
}
_STYLES = {"plain": "", "bold": "-Bold", "italic": "-Oblique", "bolditalic": "-BoldOblique"}


def font_options(cache: Path) -> list[str]:
    """Give the Java options that name the fonts; none where there is no such choice (macOS) or no matplotlib."""
    found = importlib.util.find_spec("matplotlib")
    if sys.platform != "linux" or found is None or not found.submodule_search_locations:
        return []
    fonts = Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    text = _properties(fonts)
    target = cache / "headless" / f"fonts-{hashlib.sha256(text.encode()).hexdigest()[:16]}.properties"
    if not target.is_file():
        _write(target, text)
    return [f"-Dsun.awt.fontconfig={target}"]


def _properties(fonts: Path) -> str:
    """Write what Java's own fontconfig.properties says: which file for which family and style."""
    lines, files = ["version=1", "sequence.allfonts=latin-1"], set()
    for family, font in _FAMILIES.items():
        for style, suffix in _STYLES.items():
            name = font + (suffix.replace("Oblique", "Italic") if font == "DejaVuSerif" else suffix)
            lines.append(f"{family}.{style}.latin-1={name}")
            files.add(name)
    lines += [f"filename.{name}={fonts / name}.ttf" for name in sorted(files)]
    return "\n".join(lines) + "\n"


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    with os.fdopen(handle, "w", encoding="latin-1", errors="backslashreplace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(target)
