"""Running a model with ONNX Runtime, on a GPU where ``onnxruntime-gpu`` finds one, else on the CPU.

Models come as bytes, never as a path, so no external data next to a file can
be read, and only after :mod:`model_export.scan` found nothing.
"""

import ctypes
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export import scan
from model_export.errors import ArtefactError

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


class Session:
    """One opened model.

    Attributes:
        providers: what ONNX Runtime really uses, best first; the CPU stands last always.
        input_names, output_names: in the order of the model.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.providers: list[str] = session.get_providers()
        self.input_names: list[str] = [tensor.name for tensor in session.get_inputs()]
        self.output_names: list[str] = [tensor.name for tensor in session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """One run; outputs by name.

        Raises:
            ArtefactError: if the inputs are not the model's, or ONNX Runtime refuses them.
        """
        faults = [f"input '{name}' is missing" for name in self.input_names if name not in inputs]
        faults += [f"the model has no input '{name}'" for name in inputs if name not in self.input_names]
        if faults:
            raise ArtefactError("The model cannot run", faults)
        feed = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        try:
            found = self._session.run(None, feed)
        except Exception as error:  # ONNX Runtime has a class per status code and no common base but this
            raise ArtefactError("The model cannot run", [str(error).strip()]) from error
        return dict(zip(self.output_names, found, strict=True))


def available_providers() -> list[str]:
    """CUDA before CPU where ONNX Runtime has CUDA and there is a device; other providers are not used."""
    import onnxruntime

    # Without a device ONNX Runtime would try, write an error to the terminal and fall back.
    has_cuda = CUDA in onnxruntime.get_available_providers() and cuda_devices() > 0
    return [CUDA, CPU] if has_cuda else [CPU]


@cache
def cuda_devices() -> int:
    """How many CUDA devices the driver sees; 0 without a driver. Asks the driver, so torch is not needed."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


@cache
def _load_cuda_libraries() -> None:
    """Let ONNX Runtime find CUDA and cuDNN in the wheels that torch or the extra ``gpu`` brought."""
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(StringIO()):  # it prints what it does not find; the session tells that, too
            onnxruntime.preload_dlls()


def open_session(model: bytes, *, providers: Sequence[str] | None = None, threads: int = 1) -> Session:
    """Scan the bytes and open them.

    Args:
        model: the bytes of ``model.onnx``.
        providers: ONNX Runtime providers in order of preference; None takes CUDA where it is and works.
        threads: intra-op threads, at least 1. Parallel requests beat parallel operators.
    Raises:
        ArtefactError: with all findings of the scan, or the reason of ONNX Runtime.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, found {threads}")
    scan.check(model)
    import onnxruntime

    names = list(providers) if providers is not None else available_providers()
    if CUDA in names:
        _load_cuda_libraries()
    # TF32 would keep ten bits of the fraction; what is exported is compared to 1e-5.
    wanted = [(name, {"use_tf32": "0"}) if name == CUDA else name for name in names]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was scanned, nothing else
    options.enable_cpu_mem_arena = False  # free shapes: the arena only grows
    options.enable_mem_pattern = False
    options.log_severity_level = 3  # errors come as exceptions; warnings name torch internals
    with warnings.catch_warnings():
        # A provider that fails to start is left out by ONNX Runtime with a warning; `providers` tells.
        warnings.simplefilter("ignore")
        try:
            return Session(onnxruntime.InferenceSession(model, options, providers=wanted))
        except Exception as error:
            raise ArtefactError("ONNX Runtime refuses the model", [str(error).strip()]) from error
