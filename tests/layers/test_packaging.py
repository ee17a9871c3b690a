"""Claims about what is installed: the wheel is whole, the lists agree, importing starts nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def requirements() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {requirement.replace(" ", "") for requirement in project["dependencies"]}


def test_conda_environment_has_the_packages_of_pyproject():
    """Two lists that must say the same; conda's adds only Python, pip and the checkout itself."""
    listed = re.findall(r"^\s+- (\S+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(listed) - {"conda-forge", "python>=3.11", "pip", "pip:"} == requirements()


def test_importing_starts_no_java_and_stays_light():
    """A script that only reads a TIFF must not pay for Java, nor for what the command line draws with."""
    code = (
        "import sys, fijibridge; print([m for m in ('jpype', 'scyjava', 'imagej', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wheel_holds_every_macro_the_report_and_the_licence(tmp_path):
    """A user who installs from a wheel gets what a checkout has."""
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", tmp_path, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and "No matching distribution found for hatchling" in built.stderr:
        pytest.skip("building a wheel needs hatchling from the package registry")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    macros = {f"fijibridge/macros/{path.name}" for path in (ROOT / "macros").glob("*.ijm")}
    assert macros
    assert macros | {"fijibridge/study/report.html.j2"} <= set(held)
    assert any(name.endswith("licenses/LICENSE") for name in held)
