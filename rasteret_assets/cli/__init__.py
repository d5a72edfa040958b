"""The same stages from a shell: `rasteret-assets collections import | list | info | delete`."""

from rasteret_assets.cli.main import main

__all__ = ["main"]
