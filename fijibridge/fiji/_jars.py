"""The embedded ImageJ: three pinned files, fetched once from Maven Central, checked, and kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from ..errors import EngineMissingError


class Jar(NamedTuple):
    """A file on Maven Central, pinned by its content."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Name of the file in the cache folder."""
        return f"{self.artifact}-{self.version}.jar"


IMAGEJ_VERSION = "1.54p"
JARS = (
    Jar("net.imagej", "ij", IMAGEJ_VERSION, "2e1a09961dfb41cee66ddc821b2577a41a072566ce45a49bae69267099741e20"),
    Jar("net.imagej", "ij1-patcher", "1.2.6", "f23e419d0aa70da433005a1d4250d2b139c728d7cc7a581569f406243f4b191b"),
    Jar("org.javassist", "javassist", "3.27.0-GA", "0730bdb1547a5a3f458d60400d804078d80f329c5b5dbc2498a4e220de8f7013"),
)


def jars_folder(cache: Path) -> Path:
    """Give the folder that holds the embedded ImageJ."""
    return cache / f"imagej-{IMAGEJ_VERSION}"


def find_jars(cache: Path) -> list[Path]:
    """Give the embedded ImageJ's files, fetching what is not there yet.

    Parameters
    ----------
    cache : the cache folder of the settings.

    Returns
    -------
    Paths of the files, each with the pinned content.

    Raises
    ------
    EngineMissingError : a file is not there and cannot be fetched, or has the wrong content.
    """
    folder = jars_folder(cache)
    missing = [jar for jar in JARS if not (folder / jar.filename).is_file()]
    if missing:
        _fetch(missing, folder)
    for jar in JARS:
        _check(folder / jar.filename, jar, folder)
    return [folder / jar.filename for jar in JARS]


def _fetch(jars: list[Jar], folder: Path) -> None:
    """Fetch into a scratch folder beside the cache, check, then move each into place in one step."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-") as scratch:
            for jar in jars:
                fetched = _download(jar, Path(scratch), folder)
                _check(fetched, jar, folder)
                _publish(fetched, folder / jar.filename)
    except OSError as error:
        raise EngineMissingError(
            f"the cache folder {folder} cannot be written ({error.strerror or error}); "
            "set FIJIBRIDGE_CACHE to a folder that can, or use engine='native'"
        ) from error


def _download(jar: Jar, scratch: Path, folder: Path) -> Path:
    from jgo.maven import MavenContext

    context = MavenContext(repo_cache=scratch, timeout=60)
    try:
        path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except Exception as error:  # jgo raises whatever its HTTP client does; the user needs one sentence
        raise EngineMissingError(_what_is_missing(jar, folder), detail=str(error)) from error
    return Path(path)


def _what_is_missing(jar: Jar, folder: Path) -> str:
    return (
        f"the embedded ImageJ needs {jar.filename} ({jar.group}:{jar.artifact}:{jar.version} on Maven Central), "
        f"which is not in {folder} and could not be fetched; connect to the network once, or put the file there, "
        "or use engine='native'"
    )


def _check(path: Path, jar: Jar, folder: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise EngineMissingError(
            f"{jar.filename} does not have the expected content (SHA-256 {found[:12]}..., expected "
            f"{jar.sha256[:12]}...); remove {folder / jar.filename} and try again"
        )


def _publish(fetched: Path, target: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    with os.fdopen(handle, "wb") as file, fetched.open("rb") as source:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(target)
