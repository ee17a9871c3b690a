"""Which ImageJ, how much memory, how many workers, how long a job may take: one frozen dataclass.

A value is looked for in this order: what the caller gives, an environment variable (``FIJIBRIDGE_IMAGEJ`` and so on),
the config file, the default. Nothing is read before `load_settings` is called.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from .errors import SettingsError

_APP = "fijibridge"
_PREFIX = "FIJIBRIDGE_"
_HEAP = re.compile(r"[1-9][0-9]*[mMgG]")


def _default_cache() -> Path:
    return Path(platformdirs.user_cache_dir(_APP, appauthor=False))


@dataclass(frozen=True)
class Settings:
    """How ImageJ is run.

    Attributes
    ----------
    imagej : ``"embedded"``, the folder of a Fiji.app or ImageJ, or a Maven endpoint such as ``"sc.fiji:fiji"``.
    workers : worker processes at most; each is one ImageJ and takes one job at a time.
    heap : the most memory that one worker's Java may take for its images, such as ``"4g"`` or ``"800m"``.
    timeout_s : seconds that one job may run, > 0.
    plugins : a folder of plugins (.jar, .class, .ijm) for ImageJ to load besides its own, or None.
    cache : folder where the embedded ImageJ is kept once fetched.
    """

    imagej: str = "embedded"
    workers: int = 2
    heap: str = "4g"
    timeout_s: float = 600.0
    plugins: Path | None = None
    cache: Path = field(default_factory=_default_cache)

    def __post_init__(self) -> None:
        for name, (convert, wanted) in _CHECKS.items():
            value = getattr(self, name)
            try:
                object.__setattr__(self, name, convert(value))
            except (TypeError, ValueError) as error:
                raise SettingsError(f"{name} must be {wanted}, got {value!r}") from error


def load_settings(**given: Any) -> Settings:
    """Put the settings together; see the top of this file for what wins.

    Parameters
    ----------
    given : fields of `Settings`; a value of None counts as not given.

    Returns
    -------
    Settings, checked.

    Raises
    ------
    SettingsError : an unknown name, a value that cannot be used, or a config file that is no TOML.
    """
    known = {entry.name for entry in fields(Settings)}
    for name in given:
        if name not in known:
            raise SettingsError(f"there is no setting {name!r}; the settings are {', '.join(sorted(known))}")
    explicit = {name: value for name, value in given.items() if value is not None}
    return Settings(**{**_from_file(known), **_from_environment(known), **explicit})


def config_file() -> Path:
    """Give the path of the config file: ``FIJIBRIDGE_CONFIG``, or ``config.toml`` in the user's config folder."""
    named = os.environ.get(f"{_PREFIX}CONFIG")
    return Path(named) if named else Path(platformdirs.user_config_dir(_APP, appauthor=False)) / "config.toml"


def _from_environment(known: set[str]) -> dict[str, str]:
    found = {name: os.environ.get(_PREFIX + name.upper(), "") for name in known}
    return {name: value for name, value in found.items() if value}


def _from_file(known: set[str]) -> Mapping[str, Any]:
    path = config_file()
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the config file {path} cannot be read: {error}; mend it or remove it") from error
    for name in found:
        if name not in known:
            raise SettingsError(f"the config file {path} sets {name!r}, but the settings are {sorted(known)}")
    return found


def _imagej(value: Any) -> str:
    text = str(Path(value).expanduser()) if isinstance(value, Path) else str(value).strip()
    if not text:
        raise ValueError
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _workers(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool | float) or not 1 <= number <= 64:
        raise ValueError
    return number


def _heap(value: Any) -> str:
    if not _HEAP.fullmatch(str(value)):
        raise ValueError
    return str(value).lower()


def _timeout(value: Any) -> float:
    seconds = float(value)
    if isinstance(value, bool) or not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def _plugins(value: Any) -> Path | None:
    if value is None:
        return None
    folder = Path(value).expanduser().absolute()
    if not folder.is_dir():
        raise ValueError
    return folder


_CHECKS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "imagej": (_imagej, "'embedded', a folder or a Maven endpoint such as 'sc.fiji:fiji'"),
    "workers": (_workers, "a whole number from 1 to 64"),
    "heap": (_heap, "a size such as '4g' or '800m'"),
    "timeout_s": (_timeout, "a number of seconds above 0"),
    "plugins": (_plugins, "a folder that exists"),
    "cache": (lambda value: Path(value).expanduser().absolute(), "a folder"),
}
