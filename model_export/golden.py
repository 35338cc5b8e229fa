"""Golden samples: small inputs with their outputs, carried in the manifest and run again at every load.

A sample shows a wrong runtime, another processor's rounding gone wild or a
swapped file. It is data, so numbers are kept so that float32 comes back to the bit.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.plain_values import is_int, is_number, key_faults
from model_export.signature import DTYPES, by_name

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
    """The inputs of a sample, by name."""
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


def golden_faults(golden: Any, signature: Any) -> list[str]:
    """What is wrong with ``golden``; names, types and shapes are compared with a signature that is right."""
    if not isinstance(golden, dict):
        return [f"'golden' must be a map, found {type(golden).__name__}"]
    faults = key_faults(golden, ("inputs", "outputs", "tolerance"), "golden")
    tolerance = golden.get("tolerance", 1e-5)
    if not is_number(tolerance) or not 0 < tolerance <= 0.1:
        faults.append(f"golden.tolerance must lie above 0 and at most at 0.1, found {tolerance!r}")
    for side in ("inputs", "outputs"):
        tensors = golden.get(side)
        if not isinstance(tensors, dict):
            faults.append(f"golden.{side} must be a map from name to {{dtype, shape, data}}")
            continue
        declared = by_name(signature, side)
        if declared is not None:
            faults += [f"golden.{side} lacks '{name}'" for name in declared if name not in tensors]
        for name, tensor in tensors.items():
            at = f"golden.{side}.{name}"
            if declared is not None and name not in declared:
                faults.append(f"{at} is not in the signature")
                continue
            faults += _tensor_faults(tensor, at, None if declared is None else declared[name])
    return faults


def _tensor_faults(tensor: Any, at: str, declared: dict[str, Any] | None) -> list[str]:
    if not isinstance(tensor, dict):
        return [f"{at} must be a map with dtype, shape and data"]
    faults = key_faults(tensor, ("dtype", "shape", "data"), at)
    dtype, shape, data = tensor.get("dtype"), tensor.get("shape"), tensor.get("data")
    if dtype not in DTYPES:
        return [*faults, f"{at}.dtype must be one of {', '.join(DTYPES)}, found {dtype!r}"]
    if not isinstance(shape, list) or not all(is_int(d, 0, 2**31 - 1) for d in shape):
        return [*faults, f"{at}.shape must be a list of integers, found {shape!r}"]
    if not isinstance(data, list) or len(data) != math.prod(shape):
        length = len(data) if isinstance(data, list) else type(data).__name__
        faults.append(f"{at}.data must hold {math.prod(shape)} values, found {length}")
    elif dtype == "float32" and not all(is_number(v) for v in data):
        faults.append(f"{at}.data must hold finite numbers")
    elif dtype == "int64" and not all(is_int(v, -(2**63), 2**63 - 1) for v in data):
        faults.append(f"{at}.data must hold integers")
    elif dtype == "bool" and not all(isinstance(v, bool) for v in data):
        faults.append(f"{at}.data must hold booleans")
    if declared is not None:
        if dtype != declared["dtype"]:
            faults.append(f"{at}.dtype is {dtype}, the signature says {declared['dtype']}")
        fits = len(shape) == len(declared["shape"]) and all(
            want is None or want == found for want, found in zip(declared["shape"], shape, strict=True)
        )
        if not fits:
            faults.append(f"{at}.shape is {shape}, the signature says {declared['shape']}")
    return faults
