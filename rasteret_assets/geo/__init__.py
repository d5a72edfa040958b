"""Footprints, bounding boxes, coordinate reference systems and grids: arithmetic only."""
