"""Which ImageJ a setting means, where its Java is, and which words are said when it is not there."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

from fijibridge.errors import EngineMissingError, ParameterError, SettingsError, WriteError
from fijibridge.fiji import _find, install_macros, macros_folder
from fijibridge.fiji._find import Found, identify, java_home
from fijibridge.fiji._jars import JARS, find_jars, jars_folder
from fijibridge.fiji._macro_files import read_macro


def touch(path: Path) -> Path:
    """Make an empty file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_fiji_folder_is_told_from_a_bare_imagej(tmp_path):
    """They start in different ways."""
    touch(tmp_path / "Fiji.app" / "jars" / "imagej-legacy-2.0.1.jar")
    jar = touch(tmp_path / "ImageJ" / "ij.jar")
    mac = touch(tmp_path / "Mac" / "ImageJ.app" / "Contents" / "Java" / "ij.jar")
    assert identify(str(tmp_path / "Fiji.app")).kind == "imagej2"
    assert identify(str(tmp_path / "ImageJ")) == Found("bare", str(tmp_path / "ImageJ"), jar)
    assert identify(str(tmp_path / "Mac")).jar == mac


@pytest.mark.parametrize("endpoint", ["sc.fiji:fiji", "net.imagej:imagej:2.15.0", "sc.fiji:fiji+org.x:y:1"])
def test_maven_endpoints_are_told_from_folders(endpoint):
    """A colon, and no such folder."""
    assert identify(endpoint).kind == "endpoint"


def test_a_folder_that_is_no_imagej_names_the_one_inside(tmp_path):
    """People unpack Fiji.app into a folder and give that folder."""
    touch(tmp_path / "Fiji.app" / "jars" / "imagej-legacy-2.0.1.jar")
    with pytest.raises(EngineMissingError, match=r"did you mean .*Fiji\.app"):
        identify(str(tmp_path))
    with pytest.raises(EngineMissingError, match="give the folder that holds"):
        identify(str(tmp_path / "Fiji.app" / "jars"))


def test_a_folder_that_is_not_there_and_a_word_that_means_nothing(tmp_path):
    """Two errors, since there are two things to do."""
    with pytest.raises(EngineMissingError, match="there is no folder"):
        identify(str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="'embedded'"):
        identify("fiji")


def test_a_fiji_runs_on_its_own_java_before_the_users(tmp_path, monkeypatch):
    """It was tried with that one."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    own = tmp_path / "java" / "linux-amd64" / "jdk-8"
    touch(own / "lib" / "server" / "libjvm.so")
    other = tmp_path / "other"
    touch(other / "lib" / "server" / "libjvm.so")
    monkeypatch.setenv("JAVA_HOME", str(other))
    assert java_home(Found("imagej2", str(tmp_path))) == own
    shutil.rmtree(own)
    assert java_home(Found("imagej2", str(tmp_path))) == other


def test_a_fiji_for_another_platform_runs_on_the_java_at_hand(tmp_path, monkeypatch):
    """Its jars are the same on all platforms; only the Java that it carries is not."""
    touch(tmp_path / "java" / "win64" / "jdk" / "bin" / "server" / "jvm.dll")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(_find.shutil, "which", lambda _: None)
    assert java_home(Found("imagej2", str(tmp_path))) is None


def test_jars_that_cannot_be_fetched_are_named_with_the_place_to_put_them(tmp_path, monkeypatch):
    """On a cluster without a network one copies them by hand."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(EngineMissingError) as caught:
        find_jars(tmp_path)
    message = str(caught.value)
    assert JARS[0].filename in message
    assert str(jars_folder(tmp_path)) in message
    assert "connect to the network once" in message
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_jar_with_other_content_is_refused(tmp_path):
    """Half a download, or something else under the same name."""
    for jar in JARS:
        touch(jars_folder(tmp_path) / jar.filename).write_bytes(b"not a jar")
    with pytest.raises(EngineMissingError, match="does not have the expected content") as caught:
        find_jars(tmp_path)
    assert f"remove {jars_folder(tmp_path) / JARS[0].filename}" in str(caught.value)


def test_a_cache_that_cannot_be_written_names_the_setting(tmp_path):
    """A file stands where the folder should be."""
    blocked = touch(tmp_path / "file")
    with pytest.raises(EngineMissingError, match="FIJIBRIDGE_CACHE"):
        find_jars(blocked / "cache")


def test_macros_are_found_by_path_by_name_and_as_text(tmp_path):
    """In that order."""
    name = next(iter(sorted(macros_folder().glob("*.ijm")))).name
    assert read_macro(name) == ((macros_folder() / name).read_text(), name)
    own = tmp_path / "own.ijm"
    own.write_bytes('print("µ");'.encode("latin-1"))
    assert read_macro(own) == ('print("µ");', "own.ijm")
    assert read_macro('print("x.ijm");\n')[0] == 'print("x.ijm");\n'
    assert read_macro("return 1;")[0] == "return 1;"
    with pytest.raises(ParameterError, match="there is no macro file"):
        read_macro(tmp_path / "none.ijm")


def test_macros_are_installed_whole_into_an_imagej_only(tmp_path):
    """Into its own menu folder, in one step each; what an earlier version put into the menu goes."""
    touch(tmp_path / "ImageJ" / "ij.jar")
    menu = tmp_path / "ImageJ" / "plugins" / "fijibridge"
    touch(menu / "smooth.ijm")
    own = {path.name for path in macros_folder().glob("*.ijm")}
    commands = {path.name for path in (macros_folder() / "menu").glob("*.ijm")} | {"painting-tools.txt"}
    for _ in range(2):
        files = install_macros(tmp_path / "ImageJ")
        assert {path.name for path in files if path.parent == menu} == {*commands, "python.txt"}
        assert {path.name for path in files if path.parent == menu / "Without Python"} == own
    assert sorted(path for path in menu.rglob("*.*")) == sorted(files)
    with pytest.raises(EngineMissingError, match="is no ImageJ"):
        install_macros(tmp_path)
    with pytest.raises(EngineMissingError, match=r"give the folder of a Fiji\.app"):
        install_macros("embedded")
    touch(tmp_path / "Full" / "ij.jar")
    touch(tmp_path / "Full" / "plugins")
    with pytest.raises(WriteError, match="cannot be written"):
        install_macros(tmp_path / "Full")
