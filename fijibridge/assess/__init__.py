"""How far segmentations agree: with each other and with a truth."""

from .agreement import Agreement, agreement, difference_map, disagreement, volume_fractions

__all__ = ["Agreement", "agreement", "difference_map", "disagreement", "volume_fractions"]
