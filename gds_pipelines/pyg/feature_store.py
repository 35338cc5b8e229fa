"""PyG's ``FeatureStore`` over the node properties of a projection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import FeatureStore, TensorAttr

from gds_pipelines.errors import UnknownName

Key = tuple[str, str]


class PropertyStore(FeatureStore):
    """Tensors by node type and name; a row is a node, by index.

    Tensors are made at first use. Further ones, such as labels or masks, can be put beside them; they stay in
    this process.

    Args:
        makers: by (node type, name), what gives the whole tensor.
    """

    def __init__(self, makers: Mapping[Key, Callable[[], Tensor]]) -> None:
        super().__init__()
        self._makers = dict(makers)
        self._tensors: dict[Key, Tensor] = {}

    def _put_tensor(self, tensor: Any, attr: TensorAttr) -> bool:
        key, given = (attr.group_name, attr.attr_name), torch.as_tensor(tensor)
        if attr.index is None:
            self._tensors[key] = given
            self._makers.pop(key, None)
            return True
        if key not in self._tensors and key not in self._makers:
            return False
        # The array of the graph itself stays as it was read.
        self._tensors[key] = self._whole(key).clone()
        self._tensors[key][_rows(attr.index)] = given
        return True

    def _get_tensor(self, attr: TensorAttr) -> Tensor:
        whole = self._whole((attr.group_name, attr.attr_name))
        return whole if attr.index is None else whole[_rows(attr.index)]

    def _remove_tensor(self, attr: TensorAttr) -> bool:
        key = (attr.group_name, attr.attr_name)
        known = key in self._tensors or key in self._makers
        self._tensors.pop(key, None)
        self._makers.pop(key, None)
        return known

    def _get_tensor_size(self, attr: TensorAttr) -> tuple[int, ...]:
        return tuple(self._get_tensor(attr).shape)

    def get_all_tensor_attrs(self) -> list[TensorAttr]:
        keys = dict.fromkeys([*self._makers, *self._tensors])
        return [TensorAttr(group, name) for group, name in keys]

    def _whole(self, key: Key) -> Tensor:
        if key not in self._tensors:
            if key not in self._makers:
                known = [f"{group}.{name}" for group, name in [*self._makers, *self._tensors]]
                raise UnknownName("tensor", f"{key[0]}.{key[1]}", known)
            self._tensors[key] = self._makers[key]()
            del self._makers[key]
        return self._tensors[key]


def _rows(index: Any) -> Any:
    return torch.as_tensor(index) if isinstance(index, np.ndarray) else index
