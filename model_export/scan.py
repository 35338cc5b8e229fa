"""Reads the bytes of an ONNX model as wire format and lists what must not reach ONNX Runtime.

Neither ``onnx.checker`` nor ONNX Runtime is a sandbox: the runtime reads
external files lying in the working directory, the checker passes unknown
operators and a 114-byte model that asks for 256 GiB. This walk needs no
protobuf library, reads every byte once and accepts only what
``docs/formats.md`` section 5 names; the plugin applies the same rules.

Every finding has a code of that page, so that both languages can be compared
file by file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from model_export.errors import ArtefactError
from model_export.onnx_fields import FIELDS, REFUSED
from model_export.proto_reader import (
    LEN,
    Malformed,
    fields_of,
    packed_varints,
    signed,
    text_of,
)

MAX_MODEL_BYTES = 64 << 20
MAX_NODES = 5_000
MAX_CONSTANT_ELEMENTS = 1 << 24
IR_VERSIONS = range(7, 11)
OPSETS = range(17, 21)

_OPERATORS = """
    Abs Add And ArgMax ArgMin BatchNormalization Cast Ceil Celu Clip Concat Constant ConstantOfShape Cos
    CumSum Div Einsum Elu Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements GatherND Gelu
    Gemm Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity IsInf IsNaN LSTM
    LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max Mean Min Mish Mod Mul Neg
    NonZero Not Or PRelu Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterElements ScatterND Selu
    Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh Tile
    TopK Transpose Trilu Unsqueeze Where Xor
"""
OPERATORS = frozenset(_OPERATORS.split())
# Operators that make memory out of numbers, and the inputs that hold those numbers.
ALLOCATORS = {"ConstantOfShape": (0,), "Expand": (1,), "Tile": (1,), "Range": (0, 1, 2)}

ELEMENT_BYTES = {1: 4, 6: 4, 7: 8, 9: 1}  # float32, int32, int64, bool: the types of constants
DTYPE_NAMES = {1: "float32", 7: "int64", 9: "bool"}  # the types of inputs and outputs


@dataclass(frozen=True)
class Finding:
    """One reason to refuse a model: a code of ``docs/formats.md`` section 5 and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: a free dimension is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass
class Scan:
    """What a model holds, as far as the rules care.

    Attributes:
        findings: all reasons to refuse it; empty when it may be opened.
        inputs, outputs: in the order of the file.
        operators: how often each operator is used.
    """

    findings: list[Finding] = field(default_factory=list)
    inputs: list[TensorInfo] = field(default_factory=list)
    outputs: list[TensorInfo] = field(default_factory=list)
    operators: dict[str, int] = field(default_factory=dict)


def check(model: bytes) -> Scan:
    """Scan, and refuse with all findings.

    Raises:
        ArtefactError: if there is any finding.
    """
    result = scan_model(model)
    if result.findings:
        raise ArtefactError("The ONNX model is refused", [finding.message for finding in result.findings])
    return result


def scan_model(model: bytes | memoryview) -> Scan:
    """Walk the bytes of ``model.onnx``; never raises for any input."""
    walker = _Walker()
    if not 1 <= len(model) <= MAX_MODEL_BYTES:
        walker.find("size", f"the model has {len(model)} bytes; 1 to {MAX_MODEL_BYTES} are allowed")
        return walker.result
    if bytes(model[4:8]) == b"ORTM":
        # ONNX Runtime tells its own flatbuffer format by these bytes, whatever stands around them, so such a
        # file may be one model to this walk and another one to the runtime.
        return Scan(findings=[Finding("wire", "it is not an ONNX file: it is in ONNX Runtime's own format")])
    try:
        walker.model(memoryview(model))
    except Malformed as error:
        # What was found before may be an accident of bytes that mean nothing.
        return Scan(findings=[Finding("wire", f"it is not an ONNX file: {error}")])
    return walker.result


def _shown(name: str) -> str:
    """A name from the file as it may appear in a message: short, printable."""
    return "".join(c if c.isprintable() else "?" for c in name[:60])


@dataclass
class _Tensor:
    elements: int | None  # None: not to be known
    values: list[int] | None  # the integers of an int64 constant small enough to be a shape


class _Walker:
    def __init__(self) -> None:
        self.result = Scan()
        self._seen: set[tuple[str, str]] = set()

    def find(self, code: str, message: str) -> None:
        """Adds a finding; the same sentence is not repeated (5,000 bad nodes are one finding)."""
        if (code, message) not in self._seen:
            self._seen.add((code, message))
            self.result.findings.append(Finding(code, message))

    def fields(self, message: str, data: memoryview) -> Iterator[tuple[str, int | memoryview, int]]:
        """(name, value, wire type) of the allowed fields; the others become findings."""
        known = FIELDS[message]
        once: set[int] = set()
        for number, wire, value in fields_of(data):
            if (message, number) in REFUSED:
                self.find(*REFUSED[message, number])
                continue
            if number not in known:
                self.find("field", f"the {message} has the field {number}, which is not allowed")
                continue
            name, wanted, repeats = known[number]
            packed = repeats and wanted != LEN and wire == LEN
            if wire != wanted and not packed:
                self.find("field", f"the field {name} of the {message} has the wire type {wire}")
                continue
            if not repeats and number in once:
                # Parsers take the last or merge; a scanner that guesses otherwise is blind.
                self.find("field", f"the field {name} of the {message} stands twice")
                continue
            once.add(number)
            yield name, value, wire

    def model(self, data: memoryview) -> None:
        ir_version, graph, opsets = None, None, []
        for name, value, _ in self.fields("model", data):
            if name == "ir_version":
                ir_version = signed(value)
            elif name == "graph":
                graph = value
            elif name == "opset_import":
                opsets.append(self._opset(value))
        if ir_version not in IR_VERSIONS:
            self.find(
                "ir-version",
                f"the IR version is {ir_version}; {IR_VERSIONS[0]} to {IR_VERSIONS[-1]} are allowed",
            )
        foreign = [domain for domain, _ in opsets if domain not in ("", "ai.onnx")]
        for domain in foreign:
            self.find(
                "domain", f"it imports the operator domain '{_shown(domain)}'; only ONNX's own is allowed"
            )
        own = [version for domain, version in opsets if domain in ("", "ai.onnx")]
        if len(own) != 1 or own[0] not in OPSETS:
            self.find("opset", f"the opset is {own}; exactly one of {OPSETS[0]} to {OPSETS[-1]} is allowed")
        if graph is None:
            raise Malformed("it has no graph")
        self._graph(graph)

    def _opset(self, data: memoryview) -> tuple[str, int]:
        domain, version = "", 0
        for name, value, _ in self.fields("opset", data):
            if name == "domain":
                domain = text_of(value)
            else:
                version = signed(value)
        return domain, version

    def _graph(self, data: memoryview) -> None:
        nodes, initializers, inputs, outputs = [], [], [], []
        target = {"node": nodes, "initializer": initializers, "input": inputs, "output": outputs}
        for name, value, _ in self.fields("graph", data):
            if name in target:
                target[name].append(value)
            elif name == "value_info":
                self._value(value, checked=False)
        if len(nodes) > MAX_NODES:
            self.find("nodes", f"it has {len(nodes)} nodes; at most {MAX_NODES} are allowed")
            return
        if not outputs:
            self.find("signature", "it has no outputs")
        self.result.inputs = [info for info in map(self._value, inputs) if info is not None]
        self.result.outputs = [info for info in map(self._value, outputs) if info is not None]
        constants: dict[str, _Tensor] = {}
        for item in initializers:
            name, tensor = self._tensor(item)
            if name in constants:
                self.find("duplicate", f"the constant '{_shown(name)}' stands twice")
            constants[name] = tensor
        # What can change with the inputs. A size computed from constants alone needs no computing: it hides.
        live = {info.name for info in self.result.inputs} - set(constants)
        for node in nodes:
            self._node(node, constants, live)

    def _node(self, data: memoryview, constants: dict[str, _Tensor], live: set[str]) -> None:
        operator, domain = "", ""
        inputs: list[str] = []
        outputs: list[str] = []
        attributes: dict[str, int | bytes | _Tensor | list[int] | None] = {}
        for name, value, _ in self.fields("node", data):
            if name == "input":
                inputs.append(text_of(value))
            elif name == "output":
                outputs.append(text_of(value))
            elif name == "op_type":
                operator = text_of(value)
            elif name == "domain":
                domain = text_of(value)
            elif name == "attribute":
                key, held = self._attribute(value)
                if key in attributes:
                    self.find("duplicate", f"an operator has the attribute '{_shown(key)}' twice")
                attributes[key] = held
        self.result.operators[operator] = self.result.operators.get(operator, 0) + 1
        if domain not in ("", "ai.onnx"):
            self.find("domain", f"the operator {_shown(domain)}.{_shown(operator)} is not one of ONNX's own")
        elif operator not in OPERATORS:
            self.find("operator", f"the operator {_shown(operator)} is not on the list of allowed operators")
        if operator == "ScatterND" and attributes.get("reduction", b"none") != b"none":
            self.find(
                "scatter",
                "ScatterND with a reduction gives wrong sums with two threads; "
                "use scatter_add (ScatterElements) or, better, Gather and MatMul",
            )
        if operator == "Constant":
            held = attributes.get("value", attributes.get("value_ints", attributes.get("value_int")))
            if isinstance(held, int):
                held = _Tensor(1, [held])
            elif isinstance(held, list):
                held = _Tensor(len(held), held)
            for name in outputs:
                if name in constants:
                    self.find("duplicate", f"the constant '{_shown(name)}' stands twice")
                constants[name] = held if isinstance(held, _Tensor) else _Tensor(None, None)
            return
        for position in ALLOCATORS.get(operator, ()):
            if position < len(inputs):
                self._allocation(operator, inputs[position], constants, live)
        if any(name in live for name in inputs):
            live.update(name for name in outputs if name)

    def _allocation(self, operator: str, name: str, constants: dict[str, _Tensor], live: set[str]) -> None:
        if name in live:
            return
        if name not in constants:
            self.find(
                "allocation",
                f"the size that {operator} is given is computed from constants; state it plainly",
            )
            return
        values = constants[name].values
        product = 1
        for value in values or ():
            product *= max(1, abs(value))
        if values is None or product > MAX_CONSTANT_ELEMENTS:
            self.find(
                "allocation",
                f"{operator} asks for {product if values is not None else 'unknown many'} elements; "
                f"at most {MAX_CONSTANT_ELEMENTS} may be asked for by a constant",
            )

    def _attribute(self, data: memoryview) -> tuple[str, int | bytes | _Tensor | list[int] | None]:
        key: str = ""
        held: int | bytes | _Tensor | list[int] | None = None
        ints: list[int] = []
        kinds: set[str] = set()
        for name, value, wire in self.fields("attribute", data):
            if name in ("f", "i", "s", "t", "floats", "ints", "strings"):
                kinds.add(name)
            if name == "name":
                key = text_of(value)
            elif name == "i":
                held = signed(value)
            elif name == "s":
                held = bytes(value)
            elif name == "t":
                held = self._tensor(value)[1]
            elif name == "ints":
                ints += packed_varints(value) if wire == LEN else [signed(value)]
        if len(kinds) > 1:
            self.find("field", f"the attribute '{_shown(key)}' holds {' and '.join(sorted(kinds))} at once")
        return key, ints if "ints" in kinds else held

    def _tensor(self, data: memoryview) -> tuple[str, _Tensor]:
        name, kind, dims = "", 0, []
        raw: memoryview | None = None
        external, floats = False, 0
        int32s: list[int] = []
        int64s: list[int] = []
        for label, value, wire in self.fields("tensor", data):
            if label == "name":
                name = text_of(value)
            elif label == "data_type":
                kind = signed(value)
            elif label == "dims":
                dims += packed_varints(value) if wire == LEN else [signed(value)]
            elif label == "raw_data":
                raw = value
            elif label == "float_data":
                if len(value) % 4:
                    raise Malformed("a list of float32 is not a multiple of four bytes")
                floats += len(value) // 4
            elif label == "int32_data":
                int32s += packed_varints(value) if wire == LEN else [signed(value)]
            elif label == "int64_data":
                int64s += packed_varints(value) if wire == LEN else [signed(value)]
            elif label == "data_location" and value != 0:
                self.find(*REFUSED["tensor", 13])
                external = True
        if external or any(number == 13 for number, _, _ in fields_of(data)):
            return name, _Tensor(None, None)  # reported; its length is no second fault
        if kind not in ELEMENT_BYTES:
            self.find(
                "tensor-type",
                f"the constant '{_shown(name)}' has the ONNX type {kind}; "
                "float32, int32, int64 and bool are allowed",
            )
            return name, _Tensor(None, None)
        elements = 1
        for size in dims:
            if not 0 <= size < 1 << 31:
                self.find("tensor-size", f"the constant '{_shown(name)}' has a dimension of {size}")
                return name, _Tensor(None, None)
            elements *= size
        counts = {"float_data": floats, "int32_data": len(int32s), "int64_data": len(int64s)}
        typed = {1: "float_data", 6: "int32_data", 7: "int64_data", 9: "int32_data"}[kind]
        wrong = [label for label, count in counts.items() if count and (raw is not None or label != typed)]
        found = counts[typed] * ELEMENT_BYTES[kind] if raw is None else len(raw)
        if wrong or found != elements * ELEMENT_BYTES[kind]:
            self.find(
                "tensor-size",
                f"the constant '{_shown(name)}' should hold {elements * ELEMENT_BYTES[kind]} bytes, "
                f"found {found}{' and ' + ' and '.join(wrong) if wrong else ''}",
            )
            return name, _Tensor(None, None)
        values = None
        if kind == 7 and elements <= 64:
            values = int64s if raw is None else list(struct.unpack(f"<{elements}q", raw))
        return name, _Tensor(elements, values)

    def _value(self, data: memoryview, checked: bool = True) -> TensorInfo | None:
        name, kind = "", None
        for label, value, _ in self.fields("value", data):
            if label == "name":
                name = text_of(value)
            elif label == "type":
                kind = self._type(value, checked)
        if not checked:
            return None
        if kind is None or kind[1] is None or kind[0] not in DTYPE_NAMES:
            self.find(
                "input-type",
                f"the input or output '{_shown(name)}' must be a tensor of float32, int64 or bool "
                "with a known rank",
            )
            return None
        return TensorInfo(name, DTYPE_NAMES[kind[0]], kind[1])

    def _type(self, data: memoryview, checked: bool) -> tuple[int, tuple[int | None, ...] | None] | None:
        found = None
        for number, wire, value in fields_of(data):
            if number == 1 and wire == LEN and found is None:
                found = self._tensor_type(value)
            elif number == 6 and wire == LEN:
                continue
            elif number in (4, 5, 7, 8, 9) and checked:
                return None  # sequence, map, opaque, sparse, optional: reported by the caller
            else:
                self.find("field", f"the type has the field {number}, which is not allowed")
        return found

    def _tensor_type(self, data: memoryview) -> tuple[int, tuple[int | None, ...] | None]:
        kind, shape = 0, None
        for label, value, _ in self.fields("tensor_type", data):
            if label == "elem_type":
                kind = signed(value)
            else:
                shape = tuple(self._dim(item) for _, item, _ in self.fields("shape", value))
        return kind, shape

    def _dim(self, data: memoryview) -> int | None:
        size = None
        for label, value, _ in self.fields("dim", data):
            if label == "dim_value":
                size = signed(value)
                if not 0 <= size < 1 << 31:
                    self.find("input-type", f"a shape has a dimension of {size}")
        return size


def signature_faults(result: Scan, signature: dict) -> list[str]:
    """How the inputs and outputs of a scanned model differ from the ``signature`` of its manifest.

    Names, types, ranks and fixed dimensions must agree; a dimension the signature
    leaves free must be free in the model. The order is not compared.
    """
    faults = []
    for side, found in (("input", result.inputs), ("output", result.outputs)):
        declared = {entry["name"]: entry for entry in signature[side + "s"]}
        present = {info.name: info for info in found}
        faults += [f"the model has no {side} '{name}'" for name in declared if name not in present]
        faults += [
            f"the signature does not name the {side} '{name}'" for name in present if name not in declared
        ]
        for name in declared.keys() & present.keys():
            want, have = declared[name], present[name]
            if want["dtype"] != have.dtype or tuple(want["shape"]) != have.shape:
                faults.append(
                    f"{side} '{name}' is {have.dtype}{list(have.shape)} in the model, "
                    f"{want['dtype']}{want['shape']} in the signature"
                )
    return sorted(faults)
