"""Which versions of what made a result."""

from __future__ import annotations

from .._report.versions import package_versions
from ..fiji import current


def versions(*, imagej: bool = True) -> dict[str, str]:
    """Give the versions of fijibridge, Python, ImageJ with its Java where it had a part, and what computes."""
    return package_versions(imagej=current().version if imagej else "")
