"""The door to Fiji/ImageJ: a pool of headless ImageJ worker processes that arrays go through."""

from ._door import Fiji, MacroResult, RunningJob, current, use
from ._macro_files import install_macros, macros_folder
from ._weka import check_weka, segment_by_weka

__all__ = [
    "Fiji",
    "MacroResult",
    "RunningJob",
    "check_weka",
    "current",
    "install_macros",
    "macros_folder",
    "segment_by_weka",
    "use",
]
