"""Operations block by block: over volumes larger than memory, and on several processes or machines."""

from __future__ import annotations

from ._apply import apply_blocks, plan_blocks, plan_on
from ._choice import goes_by_blocks
from ._connectivity import connectivity_blocks
from ._crew import crew, expected_workers
from ._keys import code_key, file_key, text_key, volume_key
from ._plan import BlockPlan
from ._predict import predict_blocks
from ._schedule import run_all
from ._source import Source, mask_of, source_of

__all__ = [
    "BlockPlan",
    "Source",
    "apply_blocks",
    "code_key",
    "connectivity_blocks",
    "crew",
    "expected_workers",
    "file_key",
    "goes_by_blocks",
    "mask_of",
    "plan_blocks",
    "plan_on",
    "predict_blocks",
    "run_all",
    "source_of",
    "text_key",
    "volume_key",
]
