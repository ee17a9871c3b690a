"""The door to Fiji/ImageJ: a pool of headless ImageJ worker processes that arrays go through."""

from ._door import Fiji, MacroResult, RunningJob, current
from ._macro_files import install_macros, macros_folder

__all__ = ["Fiji", "MacroResult", "RunningJob", "current", "install_macros", "macros_folder"]
