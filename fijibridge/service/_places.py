"""Which files the service reads and writes: those below the folders that it was given, wherever links lead."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ServiceError


class Places:
    """The folders below which files may lie.

    Parameters
    ----------
    folders : given at the start.
    own : folders of the service itself, always allowed.
    """

    def __init__(self, folders: Sequence[Path], own: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise ServiceError(f"{folder} is no folder; give --folder one that is there")
        self.folders = tuple(folder.resolve() for folder in folders)
        self.own = tuple(folder.resolve() for folder in own)

    def to_read(self, path: str) -> Path:
        """Give the real path of a file or folder to read.

        Raises
        ------
        ServiceError : it is not there, or lies (after following links) where the service may not go.
        """
        real = self._allowed(path)
        if not real.exists() and not _in_container(real):
            raise ServiceError(f"there is no file {path}; check its name", status=404)
        if real.is_dir():
            for slice_ in real.iterdir():
                if slice_.is_symlink():
                    self._allowed(str(slice_))
        return real

    def to_write(self, path: str) -> Path:
        """Give the real path of a file to write; its folder has to be there.

        Raises
        ------
        ServiceError : as for `to_read`.
        """
        real = self._allowed(path)
        if not real.parent.is_dir():
            raise ServiceError(f"cannot write {path}: its folder is not there; make it first", status=404)
        if not os.access(real.parent, os.W_OK):
            # Said now and not at the end of a job that took hours.
            raise ServiceError(f"cannot write {path}: its folder takes no files; name another output", status=403)
        return real

    def may_use(self, path: Path) -> bool:
        """Tell whether a file or folder lies where the service may go; what a folder holds is not looked at."""
        try:
            self._allowed(str(path))
        except ServiceError:
            return False
        return True

    def to_list(self, path: str) -> Path:
        """Give the real path of a folder whose entries are to be listed, each of them still to be asked for.

        Raises
        ------
        ServiceError : it is no folder, or lies where the service may not go.
        """
        real = self._allowed(path)
        if not real.is_dir():
            raise ServiceError(f"{path[:200]} is no folder; give one to look into", status=404)
        return real

    def _allowed(self, path: str) -> Path:
        """Follow all links first, so that neither `..` nor a link leads out."""
        given = Path(path)
        if "\0" in path or not given.is_absolute():
            raise ServiceError(f"{path[:200]!r} is no absolute path; give the whole path of the file")
        try:
            real = given.resolve()
        except (OSError, RuntimeError) as error:
            raise ServiceError(f"{path[:200]!r} leads nowhere ({error})") from error
        if any(real.is_relative_to(folder) for folder in self.own):
            return real
        for folder in self.folders:
            if real.is_relative_to(folder) and not _hidden(real.relative_to(folder)):
                return real
        raise ServiceError(
            f"the service may not use {path[:200]}; it was started for {', '.join(map(str, self.folders)) or 'none'} "
            "without hidden folders (see `fijibridge serve --folder`)",
            status=403,
        )


def _in_container(path: Path) -> bool:
    """Tell whether a path goes on inside an HDF5 file, such as ``file.h5/volumes/raw``."""
    return any(parent.is_file() for parent in path.parents)


def _hidden(path: Path) -> bool:
    """Keys, start-up files and settings of other programs lie in hidden folders and files."""
    return any(part.startswith(".") for part in path.parts)
