"""Builds the ONNX files that the scanners of both languages are tried on.

    python tests/golden/hostile/generate.py      writes models.zip and expected.json anew

Written on the wire by hand: no ONNX library would produce most of these, and so
the bytes do not change with a library's version. ``expected.json`` maps each
file to the codes of ``docs/formats.md`` section 5 that a scanner must find,
exactly; an empty list means the model is fine and must open.
"""

import json
import random
import struct
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLOAT, INT32, STRING, INT64, BOOL, DOUBLE = 1, 6, 8, 7, 9, 11


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def fixed32(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def value_info(name: str, kind: int = FLOAT, shape: tuple = (None, 2)) -> bytes:
    dims = b"".join(block(1, block(2, "n") if size is None else number(1, size)) for size in shape)
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, dims)))


def node(operator: str, inputs: list[str], outputs: list[str], *attributes: bytes, domain: str = "") -> bytes:
    return (
        b"".join(block(1, name) for name in inputs)
        + b"".join(block(2, name) for name in outputs)
        + block(4, operator)
        + b"".join(block(5, attribute) for attribute in attributes)
        + (block(7, domain) if domain else b"")
    )


def tensor(name: str, kind: int, dims: tuple, raw: bytes | None = None, extra: bytes = b"") -> bytes:
    head = b"".join(number(1, size) for size in dims) + number(2, kind) + block(8, name)
    return head + (b"" if raw is None else block(9, raw)) + extra


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def longs(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}q", *values)


def attribute(name: str, kind: int, payload: bytes) -> bytes:
    return block(1, name) + payload + number(20, kind)


def graph(
    nodes: list[bytes],
    initializers: list[bytes] = (),
    inputs: list[bytes] | None = None,
    outputs: list[bytes] | None = None,
    extra: bytes = b"",
) -> bytes:
    inputs = [value_info("x")] if inputs is None else inputs
    outputs = [value_info("y")] if outputs is None else outputs
    return (
        b"".join(block(1, item) for item in nodes)
        + block(2, "g")
        + b"".join(block(5, item) for item in initializers)
        + b"".join(block(11, item) for item in inputs)
        + b"".join(block(12, item) for item in outputs)
        + extra
    )


def model(body: bytes, ir: int = 10, opsets: tuple = (("", 20),), extra: bytes = b"") -> bytes:
    imports = b"".join(block(8, (block(1, d) if d else b"") + number(2, v)) for d, v in opsets)
    return number(1, ir) + block(7, body) + imports + extra


WEIGHT = tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4))
MATMUL = node("MatMul", ["x", "w"], ["y"])
GOOD = graph([MATMUL], [WEIGHT])
IDENTITY = node("Identity", ["x"], ["y"])
ANY = [value_info("y", shape=(None, None))]


def external(location: str) -> bytes:
    entry = block(13, block(1, "location") + block(2, location))
    return model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), None, entry + number(14, 1))]))


def with_size(operator: str, *initializers: bytes, before: tuple = (), inputs: tuple = ("size",)) -> bytes:
    """``operator`` makes something as large as ``size`` says; y is that plus nothing."""
    first = ["x"] if operator in ("Expand", "Tile") else []
    nodes = [*before, node(operator, [*first, *inputs], ["y"])]
    return model(graph(nodes, list(initializers), outputs=ANY))


def if_node() -> bytes:
    branch = graph([node("Identity", ["x"], ["y"])], inputs=[], outputs=[value_info("y")])
    branches = [attribute(name, 5, block(6, branch)) for name in ("then_branch", "else_branch")]
    return node("If", ["flag"], ["y"], *branches)


def loop_node() -> bytes:
    body = graph(
        [node("Identity", ["c"], ["c2"]), node("Add", ["v", "v"], ["v2"])],
        inputs=[value_info("i", INT64, ()), value_info("c", BOOL, ()), value_info("v")],
        outputs=[value_info("c2", BOOL, ()), value_info("v2")],
    )
    return node("Loop", ["", "flag", "x"], ["y"], attribute("body", 5, block(6, body)))


def scan_node() -> bytes:
    body = graph(
        [node("Identity", ["r"], ["r2"])],
        inputs=[value_info("r", shape=(2,))],
        outputs=[value_info("r2", shape=(2,))],
    )
    return node(
        "Scan",
        ["x"],
        ["y"],
        attribute("body", 5, block(6, body)),
        attribute("num_scan_inputs", 2, number(3, 1)),
    )


FLAG = tensor("flag", BOOL, (), b"\x01")
SCATTER_INPUTS = [value_info("x"), value_info("at", INT64, (None, 1)), value_info("u")]


def scatter_nd(reduction: str | None) -> bytes:
    how = [] if reduction is None else [attribute("reduction", 3, block(4, reduction))]
    return model(graph([node("ScatterND", ["x", "at", "u"], ["y"], *how)], inputs=SCATTER_INPUTS))


def build() -> dict[str, tuple[bytes, list[str]]]:
    """File name to (bytes, expected codes)."""
    good = model(GOOD)
    packed_dims = block(1, varint(2) + varint(2)) + number(2, FLOAT) + block(8, "w")
    float_list = block(4, floats(1, 2, 3, 4))
    float_single = b"".join(fixed32(4, v) for v in (1, 2, 3, 4))
    two_gib = 1 << 31
    training = block(20, block(1, GOOD))
    function = block(
        25, block(1, "f") + block(4, "x") + block(5, "y") + block(7, IDENTITY) + block(10, "own")
    )
    constant_size = node(
        "Constant", [], ["size"], attribute("value", 4, block(5, tensor("", INT64, (1,), longs(1 << 36))))
    )
    small_then_large = (
        block(1, "value") + number(3, 4) + block(5, tensor("", INT64, (1,), longs(1 << 36))) + number(20, 4)
    )
    files = {
        # fine
        "good.onnx": (good, []),
        "good_packed_dims.onnx": (model(graph([MATMUL], [packed_dims + float_list])), []),
        "good_single_floats.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), None, float_single)])),
            [],
        ),
        "good_location_zero.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4), number(14, 0))])),
            [],
        ),
        "good_metadata.onnx": (model(GOOD, extra=block(14, block(1, "k") + block(2, "v"))), []),
        "good_domain_spelt_out.onnx": (model(GOOD, opsets=(("ai.onnx", 20),)), []),
        "good_scatter_nd_plain.onnx": (scatter_nd(None), []),
        "good_scatter_nd_none.onnx": (scatter_nd("none"), []),
        "good_expand_by_input.onnx": (
            with_size("Expand", before=(node("Shape", ["x"], ["size"]),)),
            [],
        ),
        "good_constant_of_shape.onnx": (
            with_size("ConstantOfShape", tensor("size", INT64, (2,), longs(3, 2))),
            [],
        ),
        "good_empty_constant.onnx": (
            model(
                graph(
                    [node("Concat", ["x", "w"], ["y"], attribute("axis", 2, number(3, 0)))],
                    [tensor("w", FLOAT, (0, 2), b"")],
                )
            ),
            [],
        ),
        # not an ONNX file
        "empty.onnx": (b"", ["size"]),
        "random_bytes.onnx": (random.Random(5).randbytes(400), ["wire"]),
        "truncated.onnx": (good[:-9], ["wire"]),
        "ends_in_a_number.onnx": (good + b"\x80", ["wire"]),
        "endless_number.onnx": (b"\x08" + b"\xff" * 11, ["wire"]),
        "length_overflow.onnx": (number(1, 10) + varint(7 << 3 | 2) + varint((1 << 64) - 1), ["wire"]),
        "group.onnx": (good + varint(7 << 3 | 3), ["wire"]),
        "field_zero.onnx": (good + b"\x00\x00", ["wire"]),
        "name_not_utf8.onnx": (
            model(graph([node("MatMul", ["x", "w"], ["y"]).replace(b"MatMul", b"Mat\xfful")], [WEIGHT])),
            ["wire"],
        ),
        "no_graph.onnx": (number(1, 10) + block(8, number(2, 20)), ["wire"]),
        "text.onnx": (b"This is not a model, it is a sentence.\n", ["wire"]),
        # Protobuf to a parser, ONNX Runtime's own format to the runtime: it looks at bytes 4 to 7 alone.
        "ort_format_polyglot.onnx": (block(2, b"\x00ORTM" + bytes(300)) + good, ["wire"]),
        "pickle.onnx": (
            b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94.",
            ["wire"],
        ),
        # structure
        "two_graphs.onnx": (good + block(7, graph([if_node()], [FLAG])), ["field"]),
        "unknown_field.onnx": (good + number(99, 1), ["field"]),
        "wrong_wire_type.onnx": (model(GOOD, extra=block(5, "x")), ["field"]),
        "two_raw_data.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4), block(9, floats(1)))])),
            ["field"],
        ),
        "two_op_types.onnx": (model(graph([MATMUL + block(4, "Loop")], [WEIGHT])), ["field"]),
        "sparse_initializer.onnx": (
            model(graph([MATMUL], [WEIGHT], extra=block(15, block(1, WEIGHT)))),
            ["field"],
        ),
        "quantization_annotation.onnx": (
            model(graph([MATMUL], [WEIGHT], extra=block(14, block(1, "w")))),
            ["field"],
        ),
        "segment.onnx": (
            model(
                graph(
                    [MATMUL],
                    [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4), block(3, number(1, 0) + number(2, 1)))],
                )
            ),
            ["field"],
        ),
        "attribute_of_two_kinds.onnx": (
            model(
                graph(
                    [
                        node("Constant", [], ["size"], small_then_large),
                        node("ConstantOfShape", ["size"], ["y"]),
                    ],
                    outputs=ANY,
                )
            ),
            ["allocation", "field"],
        ),
        "attribute_reference.onnx": (
            model(
                graph([node("Concat", ["x", "x"], ["y"], block(1, "axis") + block(21, "a") + number(20, 2))])
            ),
            ["field"],
        ),
        "attribute_twice.onnx": (
            model(
                graph(
                    [
                        node(
                            "Concat",
                            ["x", "x"],
                            ["y"],
                            attribute("axis", 2, number(3, 0)),
                            attribute("axis", 2, number(3, 1)),
                        )
                    ]
                )
            ),
            ["duplicate"],
        ),
        "constant_twice.onnx": (model(graph([MATMUL], [WEIGHT, WEIGHT])), ["duplicate"]),
        # versions and domains
        "ir_too_new.onnx": (model(GOOD, ir=99), ["ir-version"]),
        "ir_too_old.onnx": (model(GOOD, ir=3), ["ir-version"]),
        "ir_missing.onnx": (block(7, GOOD) + block(8, number(2, 20)), ["ir-version"]),
        "opset_too_new.onnx": (model(GOOD, opsets=(("", 99),)), ["opset"]),
        "opset_too_old.onnx": (model(GOOD, opsets=(("", 11),)), ["opset"]),
        "opset_missing.onnx": (model(GOOD, opsets=()), ["opset"]),
        "opset_twice.onnx": (model(GOOD, opsets=(("", 20), ("ai.onnx", 18))), ["opset"]),
        "custom_domain_imported.onnx": (model(GOOD, opsets=(("", 20), ("com.evil", 1))), ["domain"]),
        "custom_domain_operator.onnx": (
            model(graph([node("Run", ["x"], ["y"], domain="com.evil")]), opsets=(("", 20), ("com.evil", 1))),
            ["domain"],
        ),
        "microsoft_domain_operator.onnx": (
            model(graph([node("FusedMatMul", ["x", "w"], ["y"], domain="com.microsoft")], [WEIGHT])),
            ["domain"],
        ),
        "local_function.onnx": (
            model(
                graph([node("f", ["x"], ["y"], domain="own")]), opsets=(("", 20), ("own", 1)), extra=function
            ),
            ["domain", "functions"],
        ),
        "training_info.onnx": (model(GOOD, extra=training), ["training"]),
        # external data
        "external_absolute.onnx": (external("/etc/hostname"), ["external-data"]),
        "external_parent.onnx": (external("../../../../../../etc/hostname"), ["external-data"]),
        "external_relative.onnx": (external("secret.bin"), ["external-data"]),
        "external_location_only.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4), number(14, 1))])),
            ["external-data"],
        ),
        "external_entry_only.onnx": (
            model(
                graph(
                    [MATMUL],
                    [
                        tensor(
                            "w",
                            FLOAT,
                            (2, 2),
                            floats(1, 2, 3, 4),
                            block(13, block(1, "location") + block(2, "secret.bin")),
                        )
                    ],
                )
            ),
            ["external-data"],
        ),
        "external_in_attribute.onnx": (
            model(
                graph(
                    [
                        node(
                            "Constant",
                            [],
                            ["w"],
                            attribute(
                                "value",
                                4,
                                block(
                                    5,
                                    tensor(
                                        "",
                                        FLOAT,
                                        (2, 2),
                                        None,
                                        block(13, block(1, "location") + block(2, "secret.bin"))
                                        + number(14, 1),
                                    ),
                                ),
                            ),
                        ),
                        MATMUL,
                    ]
                )
            ),
            ["external-data"],
        ),
        # operators
        "if.onnx": (model(graph([if_node()], [FLAG])), ["operator", "subgraph"]),
        "loop.onnx": (model(graph([loop_node()], [FLAG])), ["operator", "subgraph"]),
        "scan.onnx": (model(graph([scan_node()])), ["operator", "subgraph"]),
        "random_normal_like.onnx": (model(graph([node("RandomNormalLike", ["x"], ["y"])])), ["operator"]),
        "unknown_operator.onnx": (model(graph([node("Exec", ["x"], ["y"])])), ["operator"]),
        "string_operator.onnx": (model(graph([node("StringNormalizer", ["x"], ["y"])])), ["operator"]),
        "scatter_nd_add.onnx": (scatter_nd("add"), ["scatter"]),
        "scatter_nd_max.onnx": (scatter_nd("max"), ["scatter"]),
        "too_many_nodes.onnx": (model(graph([node("Abs", ["x"], ["y"])] * 5_001)), ["nodes"]),
        # memory
        "constant_of_shape_256_gib.onnx": (
            with_size("ConstantOfShape", tensor("size", INT64, (1,), longs(1 << 36))),
            ["allocation"],
        ),
        "constant_of_shape_by_constant.onnx": (
            with_size("ConstantOfShape", before=(constant_size,)),
            ["allocation"],
        ),
        "constant_of_shape_by_ints.onnx": (
            with_size(
                "ConstantOfShape",
                before=(
                    node(
                        "Constant",
                        [],
                        ["size"],
                        attribute("value_ints", 7, number(8, 1 << 20) + number(8, 1 << 20)),
                    ),
                ),
            ),
            ["allocation"],
        ),
        "constant_of_shape_computed.onnx": (
            with_size(
                "ConstantOfShape",
                tensor("a", INT64, (1,), longs(1 << 18)),
                before=(node("Mul", ["a", "a"], ["size"]),),
            ),
            ["allocation"],
        ),
        "expand_huge.onnx": (
            with_size("Expand", tensor("size", INT64, (2,), longs(1 << 35, 2))),
            ["allocation"],
        ),
        "tile_huge.onnx": (
            with_size("Tile", tensor("size", INT64, (2,), longs(1 << 20, 1 << 20))),
            ["allocation"],
        ),
        "range_huge.onnx": (
            with_size(
                "Range",
                tensor("from", INT64, (), longs(0)),
                tensor("to", INT64, (), longs(1 << 36)),
                tensor("by", INT64, (), longs(1)),
                inputs=("from", "to", "by"),
            ),
            ["allocation"],
        ),
        "negative_size.onnx": (
            with_size("ConstantOfShape", tensor("size", INT64, (2,), longs(-(1 << 20), -(1 << 20)))),
            ["allocation"],
        ),
        "size_overflows.onnx": (
            with_size("ConstantOfShape", tensor("size", INT64, (4,), longs(*[1 << 16] * 4))),
            ["allocation"],
        ),
        # constants
        "raw_data_too_short.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3))])),
            ["tensor-size"],
        ),
        "raw_data_too_long.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4, 5))])),
            ["tensor-size"],
        ),
        "raw_data_missing.onnx": (model(graph([MATMUL], [tensor("w", FLOAT, (2, 2))])), ["tensor-size"]),
        "raw_data_and_floats.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), floats(1, 2, 3, 4), float_list)])),
            ["tensor-size"],
        ),
        "floats_in_the_wrong_list.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (2, 2), None, block(7, b"\x01\x02\x03\x04"))])),
            ["tensor-size"],
        ),
        "negative_dimension.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (-2, -2), floats(1, 2, 3, 4))])),
            ["tensor-size"],
        ),
        "dimension_too_large.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (two_gib, 0), b"")])),
            ["tensor-size"],
        ),
        "dimensions_overflow.onnx": (
            model(graph([MATMUL], [tensor("w", FLOAT, (1 << 30, 1 << 30, 16), b"")])),
            ["tensor-size"],
        ),
        "double_constant.onnx": (
            model(graph([MATMUL], [tensor("w", DOUBLE, (2, 2), struct.pack("<4d", 1, 2, 3, 4))])),
            ["tensor-type"],
        ),
        "string_constant.onnx": (
            model(graph([MATMUL], [tensor("w", STRING, (1,), None, block(6, "secret"))])),
            ["field", "tensor-type"],
        ),
        "type_zero_constant.onnx": (
            model(graph([MATMUL], [tensor("w", 0, (2, 2), floats(1, 2, 3, 4))])),
            ["tensor-type"],
        ),
        # inputs and outputs
        "double_input.onnx": (
            model(graph([IDENTITY], inputs=[value_info("x", DOUBLE)], outputs=[value_info("y", DOUBLE)])),
            ["input-type"],
        ),
        "string_input.onnx": (
            model(graph([IDENTITY], inputs=[value_info("x", STRING)], outputs=[value_info("y", STRING)])),
            ["input-type"],
        ),
        "int32_input.onnx": (
            model(graph([IDENTITY], inputs=[value_info("x", INT32)], outputs=[value_info("y", INT32)])),
            ["input-type"],
        ),
        "sequence_input.onnx": (
            model(
                graph(
                    [IDENTITY],
                    inputs=[block(1, "x") + block(2, block(4, block(1, block(1, number(1, FLOAT)))))],
                )
            ),
            ["input-type"],
        ),
        "input_without_rank.onnx": (
            model(graph([IDENTITY], inputs=[block(1, "x") + block(2, block(1, number(1, FLOAT)))])),
            ["input-type"],
        ),
        "input_without_type.onnx": (model(graph([IDENTITY], inputs=[block(1, "x")])), ["input-type"]),
        "negative_input_dimension.onnx": (
            model(graph([IDENTITY], inputs=[value_info("x", shape=(-1, 2))])),
            ["input-type"],
        ),
        "no_outputs.onnx": (model(graph([IDENTITY], outputs=[])), ["signature"]),
    }
    return {name: (data, sorted(codes)) for name, (data, codes) in files.items()}


def main() -> None:
    files = build()
    with zipfile.ZipFile(HERE / "models.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (data, _) in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(codes)}" for name, (_, codes) in files.items())
    (HERE / "expected.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
