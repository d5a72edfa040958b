"""Lets torchvision be imported beside a PyTorch without CUDA; every process runs this at start.

The package index has torchvision for Linux built with CUDA alone. Beside a CPU build of PyTorch
its compiled operators do not load, and importing it then fails, since it describes two of them
(https://github.com/pytorch/vision/issues/9085). Declared here, they are known but not there:
nothing that TorchGeo's datasets, samplers and transforms do calls them.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_OPERATORS = ("nms", "qnms")

_found = find_spec("torchvision")
if _found is not None and _found.submodule_search_locations:
    try:
        for _library in Path(_found.submodule_search_locations[0]).glob("_C*.so"):
            torch.ops.load_library(_library)
    except OSError:
        DECLARED = torch.library.Library("torchvision", "DEF")
        for _name in _OPERATORS:
            DECLARED.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
