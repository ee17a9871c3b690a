"""Making ImageJ headless once, ahead of time: the patched classes as one jar, which every worker then loads.

The ij1-patcher rewrites some forty of ImageJ's classes so that they need no window. Done at every start that takes two
seconds; from a jar it takes none. Faults that headless ImageJ still has are mended on the way (see _mends.py).
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jpype

from ._java import java
from ._java_source import STATE, compile_state
from ._mends import DIALOG, GIVEN, MENDS, Mend


def write_jars(folder: Path, ij: Path) -> None:
    """Write headless.jar and state.jar; `ij` is ImageJ's own jar, which Java has on its class path."""
    with tempfile.TemporaryDirectory(prefix="fijibridge-") as scratch:
        raw = Path(scratch) / "raw.jar"
        java("net.imagej.patcher.LegacyInjector").writeJar(java("java.io.File")(str(raw)), True, False)
        with zipfile.ZipFile(raw) as archive:
            classes = {name: archive.read(name) for name in archive.namelist()}
        pool = java("javassist.ClassPool")(True)
        pool.insertClassPath(str(raw))
        _write_jar(folder / "state.jar", {_entry(STATE): compile_state(pool, _class_names(ij))})
        _write_jar(folder / "headless.jar", {**classes, **_mended(pool)})


def _write_jar(path: Path, classes: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, code in sorted(classes.items()):
            # A fixed date: the same classes make the same file.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), code)


def _mended(pool: Any) -> dict[str, bytes]:
    dialog = pool.get(DIALOG)
    dialog.addMethod(java("javassist.CtNewMethod").make(GIVEN, dialog))
    for mend in MENDS:
        _apply(pool.get(mend.type), mend)
    return {_entry(name): bytes(pool.get(name).toBytecode()) for name in {mend.type for mend in MENDS}}


def _entry(type_: str) -> str:
    return f"{type_.replace('.', '/')}.class"


def _apply(type_: Any, mend: Mend) -> None:
    try:
        method = type_.getMethod(mend.method, mend.signature)
    except jpype.JException:
        return  # another version of ImageJ, which does not have this method
    put = {"before": method.insertBefore, "after": method.insertAfter, "instead": method.setBody}
    put[mend.place](mend.source)


def _class_names(jar: Path) -> list[str]:
    with zipfile.ZipFile(jar) as archive:
        return [name[:-6].replace("/", ".") for name in sorted(archive.namelist()) if name.endswith(".class")]
