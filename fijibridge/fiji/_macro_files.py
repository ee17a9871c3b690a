"""The package's own macros: finding one by its name, and installing them all into the menu of an ImageJ."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ..errors import EngineMissingError, ParameterError, WriteError
from ._find import identify

#: In the wheel the macros lie inside the package, in a checkout beside it.
_PLACES = (Path(__file__).resolve().parents[1] / "macros", Path(__file__).resolve().parents[2] / "macros")
_MENU_FOLDER = "fijibridge"
#: Submenu of the macros that the ImageJ engine runs; they need no Python, so that they work where fijibridge is gone.
_ENGINE_FOLDER = "Without Python"
#: Put behind each command of the menu and behind the tools; ImageJ shows no .txt file without an underscore.
_LIBRARIES = ("library.txt", "painting.txt")
#: Tells the macros how to call Python, one word in each line; not in the menu either.
_COMMAND_FILE = "python.txt"
#: Commands that have another file name now.
_FORMER = ("Decurtain_.ijm",)


def macros_folder() -> Path:
    """Give the folder of the package's macros."""
    for place in _PLACES:
        if place.is_dir():
            return place
    raise EngineMissingError(f"the package's macros are not there (looked in {_PLACES[0]}); install fijibridge again")


def read_macro(macro: str | Path) -> tuple[str, str]:
    """Give the text of a macro and a name for it.

    Parameters
    ----------
    macro : the text itself (any str that does not end in .ijm or .txt, or has several lines), the path of a file, or
        the file name of one of the package's macros.

    Raises
    ------
    ParameterError : there is no such file, or it is no text.
    """
    if isinstance(macro, str) and ("\n" in macro or not macro.endswith((".ijm", ".txt"))):
        return macro, macro
    path = Path(macro).expanduser()
    places = [folder / path for folder in _PLACES] if len(path.parts) == 1 else []
    for place in (path, *places):
        if place.is_file():
            return _text(place), path.name
    raise ParameterError(
        f"there is no macro file {macro}; give a path, the text itself, or one of the package's macros"
    )


def install_macros(imagej: str | Path) -> list[Path]:
    """Put the menu *Plugins > fijibridge* into an ImageJ, where it shows after its next start.

    Each command is written with the library behind it, which all of them share; ``python.txt`` beside them
    names this Python. A menu that an earlier version installed is replaced.

    Parameters
    ----------
    imagej : the folder of a Fiji.app or ImageJ.

    Returns
    -------
    The files written.

    Raises
    ------
    EngineMissingError : the folder is no ImageJ.
    WriteError : it cannot be written.
    """
    found = identify(str(imagej))
    if found.kind not in ("bare", "imagej2"):
        raise EngineMissingError(f"macros are installed into a folder, got {imagej}; give the folder of a Fiji.app")
    target = Path(found.place) / "plugins" / _MENU_FOLDER
    try:
        (target / _ENGINE_FOLDER).mkdir(parents=True, exist_ok=True)
        _remove_former(target)
        return [_write(target / name, text) for name, text in _menu_files().items()]
    except OSError as error:
        raise WriteError(f"{target} cannot be written: {error.strerror or error}; check its permissions") from error


def _menu_files() -> dict[str, str]:
    """Give the text of each file of the menu, by its path below the menu's folder."""
    folder = macros_folder()
    library = "".join(_text(folder / "menu" / name) for name in _LIBRARIES)
    commands = sorted(path for path in (folder / "menu").iterdir() if path.name not in _LIBRARIES)
    files = {path.name: _text(path) + library for path in commands}
    files |= {f"{_ENGINE_FOLDER}/{path.name}": _text(path) for path in sorted(folder.glob("*.ijm"))}
    words = (sys.executable, "-P", "-m", "fijibridge.service.macro_call")
    # ImageJ reads text files in an encoding that differs from system to system: the macros undo `&#NUMBER;`.
    return files | {_COMMAND_FILE: "".join(f"{word}\n" for word in words)}


def _remove_former(target: Path) -> None:
    """Remove what earlier versions called otherwise: the menu would show both."""
    for name in (*_FORMER, *(path.name for path in macros_folder().glob("*.ijm"))):
        (target / name).unlink(missing_ok=True)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        # ImageJ itself reads macros so, and old ones are.
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise ParameterError(f"the macro file {path} cannot be read: {error.strerror or error}") from error


def _write(target: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("ascii", "xmlcharrefreplace"))
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target
