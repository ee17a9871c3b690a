"""Three kinds of ImageJ behind one door, and what is said where one is not there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fijibridge.errors import EngineFailedError, EngineMissingError
from fijibridge.fiji import Fiji, install_macros
from fijibridge.fiji._jars import find_jars
from fijibridge.settings import load_settings
from fijibridge.volume import make_volume


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, bad_plugins: Path) -> Path:
    """A folder as the ImageJ download unpacks: ij.jar and plugins/."""
    folder = tmp_path_factory.mktemp("ImageJ with blanks")
    shutil.copy(find_jars(load_settings().cache)[0], folder / "ij.jar")
    shutil.copytree(bad_plugins, folder / "plugins" / "Bad")
    return folder


def test_a_bare_imagej_folder_runs_with_its_own_jar_and_plugins(bare):
    """Subfolders of plugins/ are its menus."""
    with Fiji(bare, workers=1, heap="128m") as fiji:
        assert fiji.version == "1.54p"
        assert fiji.has("Count Runs")
        assert fiji.run("Count Runs").log.strip() == "1"
        volume = make_volume(np.zeros((1, 3, 3), np.uint8))
        assert fiji.run("Invert", volume).image.data.max() == 255


def test_a_folder_of_plugins_adds_commands_to_the_embedded_imagej(fiji, reckless):
    """Without them a plugin's command is not there."""
    assert "Count Runs" in reckless.commands()
    assert not fiji.has("Count Runs")
    assert fiji.has("Gaussian Blur 3D")
    assert fiji.version == reckless.version == "1.54p"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has fonts of its own")
def test_text_is_drawn_with_fonts_that_the_package_brings(fiji):
    """A bare system has none, and another system has others."""
    text = """
    newImage("a", "8-bit black", 64, 64, 1); setColor(255); setFont("SansSerif", 18); drawString("hello", 5, 30);
    return call("java.lang.System.getProperty", "sun.awt.fontconfig");
    """
    result = fiji.run_macro(text)
    assert "DejaVuSans.ttf" in Path(result.returned).read_text()
    assert 100 < (result.image.data > 0).sum() < 1000


def test_installed_macros_lie_where_imagej_looks(bare):
    """Fiji users pick them in the menu."""
    files = install_macros(bare)
    assert files
    assert all(path.is_relative_to(bare / "plugins" / "fijibridge") and path.is_file() for path in files)


def test_a_fiji_that_does_not_start_says_so_with_its_own_words(tmp_path):
    """A broken download must not look like a broken program."""
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "imagej-legacy-2.0.1.jar").touch()
    with (
        Fiji(tmp_path, workers=1, heap="128m") as fiji,
        pytest.raises(EngineMissingError, match="did not start") as caught,
    ):
        fiji.run_macro("")
    assert str(tmp_path) in str(caught.value)
    assert caught.value.detail


def test_an_endpoint_that_cannot_be_reached_says_so(monkeypatch):
    """The proxy of this test refuses every connection."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with (
        Fiji("sc.fiji:no-such-thing", workers=1, heap="128m") as fiji,
        pytest.raises(EngineMissingError, match="network"),
    ):
        fiji.run_macro("")


@pytest.mark.parametrize(
    ("suffix", "cure"),
    [(".js", "use a Fiji"), (".groovy", "use a Fiji"), (".py", "Jython.jar"), (".bsh", "BeanShell.jar")],
)
def test_a_script_in_a_language_that_is_not_there_says_what_to_do(fiji, tmp_path, suffix, cure):
    """ImageJ itself would ask whether to download it, in a dialog."""
    script = tmp_path / f"script{suffix}"
    script.write_text("1+1")
    with pytest.raises(EngineFailedError, match=cure):
        fiji.run_script(script)


def test_a_macro_file_runs_as_a_script_too(fiji, tmp_path):
    """One door for files of all languages."""
    script = tmp_path / "my macro.ijm"
    script.write_text('return "got " + getArgument();')
    assert fiji.run_script(script, x=3).returned == "got x=3"


def test_one_command_takes_its_options_as_keywords(fiji):
    """As the macro recorder writes them."""
    array = np.zeros((9, 9, 9), np.float32)
    array[4, 4, 4] = 1000
    image = fiji.run("Gaussian Blur 3D...", make_volume(array), x=1.1, y=1.1, z=1.1).image
    assert image.data[4, 4, 4] < 1000
    assert image.data[4, 4, 5] == pytest.approx(image.data[5, 4, 4], rel=1e-4)


def test_a_kernel_of_several_lines_is_an_option_too(fiji):
    """Headless ImageJ took a kernel of its own instead, and worked on the first slice only, saying nothing."""
    points = np.zeros((3, 5, 5), np.float32)
    points[:, 2, 2] = 1
    text = "1 2 3\n4 5 6\n7 8 9\n"
    done = fiji.run("Convolve...", make_volume(points), text1=text, stack=True).image
    # ImageJ lays the kernel on as it stands, so that a point gives it upside down.
    for plane in done.data:
        np.testing.assert_array_equal(plane[1:4, 1:4], [[9, 8, 7], [6, 5, 4], [3, 2, 1]])


def test_file_names_with_blanks_are_options_too(fiji, tmp_path):
    """Quoting is the door's work, not the user's."""
    target = tmp_path / "with blanks" / "and (more)"
    target.mkdir(parents=True)
    fiji.run(
        "Image Sequence... ", make_volume(np.zeros((3, 4, 5), np.uint8)), dir=f"{target}/", format="TIFF", name="s"
    )
    assert len(list(target.glob("*.tif"))) == 3


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("Gaussian Blur...", {"sigma": "abc", "stack": True}, "Number expected"),
        ("Z Project...", {"projection": "Max Intensiti"}, "not a valid choice"),
        ("No Such Command", {}, "Unrecognized command"),
    ],
)
def test_a_wrong_option_is_an_error_and_not_the_default(fiji, command, options, words):
    """Headless ImageJ took the first choice instead, or did nothing, and said nothing."""
    with pytest.raises(EngineFailedError, match=words):
        fiji.run(command, make_volume(np.zeros((3, 4, 5), np.uint8)), **options)
