"""Operations block by block: over volumes larger than memory, and on several processes or machines."""

from __future__ import annotations
