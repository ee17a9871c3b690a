"""From one stack and labels to a comparison of segmentations, and the report to show to others."""
