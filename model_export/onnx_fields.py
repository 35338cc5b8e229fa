"""The fields that an ONNX file may be made of; ``docs/formats.md`` section 5."""

from model_export.proto_reader import I32, LEN, VARINT

# Message -> field number -> (name, wire type, may it repeat). What is not here is refused.
FIELDS: dict[str, dict[int, tuple[str, int, bool]]] = {
    "model": {
        1: ("ir_version", VARINT, False),
        2: ("producer_name", LEN, False),
        3: ("producer_version", LEN, False),
        4: ("domain", LEN, False),
        5: ("model_version", VARINT, False),
        6: ("doc_string", LEN, False),
        7: ("graph", LEN, False),
        8: ("opset_import", LEN, True),
        14: ("metadata_props", LEN, True),
    },
    "opset": {1: ("domain", LEN, False), 2: ("version", VARINT, False)},
    "graph": {
        1: ("node", LEN, True),
        2: ("name", LEN, False),
        5: ("initializer", LEN, True),
        10: ("doc_string", LEN, False),
        11: ("input", LEN, True),
        12: ("output", LEN, True),
        13: ("value_info", LEN, True),
        16: ("metadata_props", LEN, True),
    },
    "node": {
        1: ("input", LEN, True),
        2: ("output", LEN, True),
        3: ("name", LEN, False),
        4: ("op_type", LEN, False),
        5: ("attribute", LEN, True),
        6: ("doc_string", LEN, False),
        7: ("domain", LEN, False),
        9: ("metadata_props", LEN, True),
    },
    "attribute": {
        1: ("name", LEN, False),
        2: ("f", I32, False),
        3: ("i", VARINT, False),
        4: ("s", LEN, False),
        5: ("t", LEN, False),
        7: ("floats", I32, True),
        8: ("ints", VARINT, True),
        9: ("strings", LEN, True),
        13: ("doc_string", LEN, False),
        20: ("type", VARINT, False),
    },
    "tensor": {
        1: ("dims", VARINT, True),
        2: ("data_type", VARINT, False),
        4: ("float_data", I32, True),
        5: ("int32_data", VARINT, True),
        7: ("int64_data", VARINT, True),
        8: ("name", LEN, False),
        9: ("raw_data", LEN, False),
        12: ("doc_string", LEN, False),
        14: ("data_location", VARINT, False),
        16: ("metadata_props", LEN, True),
    },
    "value": {
        1: ("name", LEN, False),
        2: ("type", LEN, False),
        3: ("doc_string", LEN, False),
        4: ("metadata_props", LEN, True),
    },
    "type": {1: ("tensor_type", LEN, False), 6: ("denotation", LEN, False)},
    "tensor_type": {1: ("elem_type", VARINT, False), 2: ("shape", LEN, False)},
    "shape": {1: ("dim", LEN, True)},
    "dim": {1: ("dim_value", VARINT, False), 2: ("dim_param", LEN, False), 3: ("denotation", LEN, False)},
}
# Fields that are refused with a code of their own, so that the reason is understood.
REFUSED = {
    ("model", 20): ("training", "it carries training information"),
    ("model", 25): ("functions", "it defines operators of its own (model-local functions)"),
    ("attribute", 6): ("subgraph", "an attribute holds a graph"),
    ("attribute", 11): ("subgraph", "an attribute holds graphs"),
    ("tensor", 13): ("external-data", "a tensor keeps its data in another file"),
}
