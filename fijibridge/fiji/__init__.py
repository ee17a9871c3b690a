"""The door to Fiji/ImageJ: a pool of headless ImageJ worker processes that arrays go through."""

from ._door import Fiji, MacroResult, RunningJob, current

__all__ = ["Fiji", "MacroResult", "RunningJob", "current"]
