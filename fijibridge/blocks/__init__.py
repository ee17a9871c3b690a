"""Operations block by block: over volumes larger than memory, and on several processes or machines."""

from __future__ import annotations

from ._apply import apply_blocks, plan_blocks
from ._keys import code_key, file_key, text_key, volume_key
from ._plan import BlockPlan

__all__ = ["BlockPlan", "apply_blocks", "code_key", "file_key", "plan_blocks", "text_key", "volume_key"]
