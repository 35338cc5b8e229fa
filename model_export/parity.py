"""Does ONNX Runtime compute what torch computes? Asked at several sizes before an artefact may exist."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.errors import ArtefactError, ExportError
from model_export.session import CPU, open_session

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Parity:
    """The result of a comparison that passed.

    Attributes:
        sizes: the shapes of the inputs compared, as text, in order.
        largest_difference: over all outputs and sizes, ``|torch - onnx| / max(1, |torch|)``.
    """

    sizes: tuple[str, ...]
    largest_difference: float


def run_torch(module: torch.nn.Module, inputs: Mapping[str, NDArray]) -> tuple[NDArray, ...]:
    """The outputs of the module in evaluation mode, as a tuple even for one."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            found = module(*(torch.from_numpy(np.array(array)) for array in inputs.values()))
    finally:
        module.train(was_training)
    outputs = found if isinstance(found, tuple | list) else (found,)
    return tuple(output.cpu().numpy() for output in outputs)


def shapes_of(inputs: Mapping[str, NDArray]) -> str:
    """For messages: every input with its shape."""
    return ", ".join(f"{name}{list(array.shape)}" for name, array in inputs.items())


def compare(
    module: torch.nn.Module,
    model: bytes,
    examples: Iterable[Mapping[str, NDArray]],
    tolerance: float = TOLERANCE,
    threads: tuple[int, ...] = (1, 2),
) -> Parity:
    """Run both on every example, with one thread and with two: some operators are wrong only with two.

    Args:
        examples: inputs by name, in the order of the module's arguments.
        tolerance: largest allowed ``|torch - onnx| / max(1, |torch|)``.
    Raises:
        ExportError: with one fault per example and thread count that fails.
    """
    sessions = {count: open_session(model, providers=[CPU], threads=count) for count in threads}
    faults: list[str] = []
    sizes: list[str] = []
    largest = 0.0
    for inputs in examples:
        where = shapes_of(inputs)
        expected = run_torch(module, inputs)
        sizes.append(where)
        for count, session in sessions.items():
            try:
                found = session.run(inputs)
            except ArtefactError as error:
                faults.append(f"with {where} and {count} thread(s): {'; '.join(error.faults)}")
                continue
            if len(found) != len(expected):
                raise ExportError(
                    "Export failed",
                    [f"torch gives {len(expected)} outputs, ONNX {len(found)}; name each one"],
                )
            for (name, onnx), torch_value in zip(found.items(), expected, strict=True):
                fault, difference = _compare_one(torch_value, onnx, tolerance)
                largest = max(largest, difference)
                if fault:
                    faults.append(f"with {where} and {count} thread(s) the output '{name}' {fault}")
    if not sizes:
        faults.append("there was nothing to compare with; give at least one example")
    if faults:
        raise ExportError("Export failed: ONNX Runtime does not compute what torch computes", faults)
    return Parity(tuple(sizes), largest)


def _compare_one(torch_value: NDArray, onnx: NDArray, tolerance: float) -> tuple[str, float]:
    if torch_value.shape != onnx.shape or torch_value.dtype != onnx.dtype:
        return (
            f"is {torch_value.dtype}{list(torch_value.shape)} in torch, "
            f"{onnx.dtype}{list(onnx.shape)} in ONNX Runtime"
        ), 0.0
    if torch_value.dtype.kind != "f":
        wrong = int((torch_value != onnx).sum())
        return (f"differs in {wrong} of {onnx.size} values" if wrong else ""), 0.0
    if not np.isfinite(torch_value).all():
        return f"holds {int((~np.isfinite(torch_value)).sum())} values that are not finite in torch", 0.0
    if not np.isfinite(onnx).all():
        return f"holds {int((~np.isfinite(onnx)).sum())} values that are not finite in ONNX Runtime", 0.0
    if onnx.size == 0:
        return "", 0.0
    wide = torch_value.astype(np.float64)
    difference = float((np.abs(wide - onnx) / np.maximum(1.0, np.abs(wide))).max())
    return (
        f"differs by up to {difference:.2e}; at most {tolerance:.0e} is allowed"
        if difference > tolerance
        else ""
    ), difference
