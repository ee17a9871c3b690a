"""Starting Java and ImageJ in this process, in one of three ways that all end in the same `ij.IJ`."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any, NamedTuple

import jpype

#: Java's own words for: no window system, no leftovers (performance files, core dumps, crash files in the user's
#: folder), no message about native access, and an end at the first lack of memory rather than a half-done result.
OPTIONS = (
    "-Djava.awt.headless=true",
    "-Dapple.awt.UIElement=true",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:-UsePerfData",
    "-XX:-CreateCoredumpOnCrash",
    "-XX:+ErrorFileToStderr",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+UseTransparentHugePages",
)


class ImageJ(NamedTuple):
    """What was started; `gateway` is pyimagej's, None where it was not needed."""

    kind: str
    version: str
    java: str
    gateway: Any


@functools.cache
def java(name: str) -> Any:
    """Give a Java class by its full name."""
    return jpype.JClass(name)


def start(orders: dict[str, Any]) -> ImageJ:
    """Start Java and ImageJ as ordered: ``kind`` embedded, folder or endpoint."""
    gateway = None
    if orders["kind"] == "imagej2":
        gateway = _start_imagej2(orders)
    else:
        _start_embedded(orders)
    _name_thread()
    _set_folder(orders["folder"])
    version = str(java("ij.IJ").getVersion())
    return ImageJ(orders["kind"], version, str(java("java.lang.System").getProperty("java.version")), gateway)


def start_bare_java(orders: dict[str, Any]) -> None:
    """Start Java alone."""
    options = [*OPTIONS, f"-Xmx{orders['heap']}", *orders["options"]]
    jpype.startJVM(*options, jvmpath=orders["jvm"], classpath=orders["classpath"], convertStrings=False)


def halt(code: int) -> None:
    """End this process at once; ImageJ leaves threads behind that would keep a normal exit waiting."""
    if jpype.isJVMStarted():
        java("java.lang.Runtime").getRuntime().halt(code)
    os._exit(code)


def _start_embedded(orders: dict[str, Any]) -> None:
    start_bare_java(orders)
    _load_menus()


def _start_imagej2(orders: dict[str, Any]) -> Any:
    """Let pyimagej start a Fiji or ImageJ2; what is set here first is what it needs to do so without a network."""
    os.environ["JAVA_HOME"] = orders["java_home"]
    import imagej
    import scyjava

    # Importing them names an endpoint that would be looked up on the network even for a folder.
    scyjava.config.endpoints.clear()
    for option in (*OPTIONS, f"-Xmx{orders['heap']}", *orders["options"]):
        scyjava.config.add_option(option)
    scyjava.config.add_classpath(*orders["classpath"])
    # "never" fails inside scyjava; with JAVA_HOME set, "auto" fetches nothing.
    scyjava.config.set_java_constraints(fetch="auto", version="17")
    return imagej.init(orders["imagej"], mode="headless")


def _load_menus() -> None:
    """Build ImageJ's table of commands without the user's own preferences, so that every worker starts alike."""
    system = java("java.lang.System")
    home = system.getProperty("user.home")
    system.setProperty("user.home", str(Path(os.devnull) / "none"))
    try:
        loader = java("java.lang.Class").forName("ij.IJ")
        method = loader.getDeclaredMethod("init", jpype.JArray(java("java.lang.Class"))(0))
        method.setAccessible(True)
        method.invoke(None, jpype.JArray(java("java.lang.Object"))(0))
    finally:
        system.setProperty("user.home", home)


def _set_folder(folder: str) -> None:
    """Let ImageJ look for files without a folder where the program would."""
    java("ij.io.OpenDialog").setDefaultDirectory(folder + os.sep)


def _name_thread() -> None:
    """Name this thread as ImageJ names the threads of macros: it looks at the name to tell whether it may abort."""
    java("java.lang.Thread").currentThread().setName("Run$_fijibridge_Macro$")
