"""The stages in order, in one process, and the pieces of work they are made of."""

from rasteret_assets.pipeline.build import build

__all__ = ["build"]
