"""Golden samples: small inputs with their outputs, carried in the manifest and run again at every load.

A sample shows a wrong runtime, another processor's rounding gone wild or a
swapped file. It is data, so numbers are kept so that float32 comes back to the bit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-5
MAX_VALUES = 10_000  # all tensors of a sample together; the manifest stays small enough to read

_DTYPES = {"float32": np.float32, "int64": np.int64, "bool": np.bool_}


def dtype_name(array: NDArray) -> str:
    """``float32``, ``int64`` or ``bool``.

    Raises:
        ValueError: for any other type.
    """
    for name, dtype in _DTYPES.items():
        if array.dtype == dtype:
            return name
    raise ValueError(f"the type {array.dtype} is not one of {', '.join(_DTYPES)}")


def tensor_to_json(array: NDArray) -> dict[str, Any]:
    """``{dtype, shape, data}``, data flat in row-major order; a float32 is written as the equal double."""
    return {
        "dtype": dtype_name(array),
        "shape": list(array.shape),
        "data": np.ascontiguousarray(array).reshape(-1).tolist(),
    }


def tensor_from_json(value: Mapping[str, Any]) -> NDArray:
    """The inverse of :func:`tensor_to_json`; the map has passed ``manifest_faults``."""
    return np.array(value["data"], dtype=_DTYPES[value["dtype"]]).reshape(value["shape"])


def sample(
    inputs: Mapping[str, NDArray], outputs: Mapping[str, NDArray], tolerance: float = TOLERANCE
) -> dict[str, Any]:
    """The ``golden`` map of a manifest.

    Raises:
        ValueError: if the tensors hold more than MAX_VALUES values.
    """
    count = sum(array.size for array in (*inputs.values(), *outputs.values()))
    if count > MAX_VALUES:
        raise ValueError(f"a golden sample of {count} values is too large; at most {MAX_VALUES} are allowed")
    return {
        "inputs": {name: tensor_to_json(array) for name, array in inputs.items()},
        "outputs": {name: tensor_to_json(array) for name, array in outputs.items()},
        "tolerance": tolerance,
    }


def inputs_of(golden: Mapping[str, Any]) -> dict[str, NDArray]:
    return {name: tensor_from_json(value) for name, value in golden["inputs"].items()}


def differences(golden: Mapping[str, Any], found: Mapping[str, NDArray]) -> list[str]:
    """What in ``found`` differs from the sample by more than ``tolerance * max(1, |expected|)``.

    Returns:
        One sentence per output that differs; empty when all agree.
    """
    faults = []
    for name, value in golden["outputs"].items():
        expected = tensor_from_json(value)
        if name not in found:
            faults.append(f"output '{name}' is missing")
            continue
        faults += _difference(name, expected, np.asarray(found[name]), golden["tolerance"])
    return faults


def _difference(name: str, expected: NDArray, found: NDArray, tolerance: float) -> list[str]:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return [
            f"output '{name}' is {found.dtype}{list(found.shape)}, "
            f"expected {expected.dtype}{list(expected.shape)}"
        ]
    if expected.dtype != np.float32:
        wrong = int((found != expected).sum())
        return [f"output '{name}' differs in {wrong} of {expected.size} values"] if wrong else []
    far = np.abs(found.astype(np.float64) - expected) > tolerance * np.maximum(1.0, np.abs(expected))
    bad = far | ~np.isfinite(found)
    if not bad.any():
        return []
    at = tuple(int(axis[0]) for axis in np.nonzero(bad))
    return [
        f"output '{name}' differs in {int(bad.sum())} of {expected.size} values; "
        f"first at {list(at)}: expected {expected[at]}, found {found[at]}"
    ]
