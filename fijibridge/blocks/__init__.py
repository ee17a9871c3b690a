"""Operations block by block: over volumes larger than memory, and on several processes or machines."""

from __future__ import annotations

from ._apply import apply_blocks, plan_blocks
from ._crew import crew
from ._keys import code_key, file_key, text_key, volume_key
from ._plan import BlockPlan
from ._predict import predict_blocks

__all__ = [
    "BlockPlan",
    "apply_blocks",
    "code_key",
    "crew",
    "file_key",
    "plan_blocks",
    "predict_blocks",
    "text_key",
    "volume_key",
]
