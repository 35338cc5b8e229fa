"""Any ``torch.nn.Module`` that follows a contract to a checked ONNX artefact.

The module is traced by ``torch.onnx.export(dynamo=True)``, cleaned of all that
torch writes about the machine it ran on, scanned by the rules of the plugin and
compared with torch at several sizes. Only then is there an artefact.
"""

import inspect
import itertools
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model_export import golden, ordering, padded_blocks, parity, scan
from model_export.artefact import Artefact, assemble
from model_export.block_faults import declaration_faults
from model_export.block_schema import CONTRACT as PADDED_BLOCKS
from model_export.block_schema import BlockSchema
from model_export.errors import ArtefactError, ExportError
from model_export.parts import MODEL_FILE
from model_export.schema import schema_faults
from model_export.signature import ORDERING, item_propagation_signature

OPSET = 20
_OUTPUT = "gnn4j.output.{}"


def export(
    module: torch.nn.Module,
    example: Mapping[str, NDArray | torch.Tensor] | Sequence[Mapping[str, NDArray | torch.Tensor]] | None,
    manifest: Mapping[str, Any],
    *,
    files: Mapping[str, bytes] | None = None,
    tolerance: float = parity.TOLERANCE,
) -> Artefact:
    """Turn a module into an artefact.

    Args:
        module: takes the inputs of the signature as positional arguments in its order and returns the
            outputs in its order. float32 weights.
        example: inputs by name. Give several of different sizes: the first is traced and becomes the
            golden sample (keep it small), each one is compared. Where the contract is known, further sizes
            are made and compared in any case; for padded-blocks/1 None will do.
        manifest: as ``docs/formats.md`` section 2; ``format``, ``schemaSha256``, ``golden`` and ``parts`` are
            filled in. ``signature`` says which dimensions are free (None); for padded-blocks/1 it is made of
            ``module.tensors`` or of the names of the arguments of ``forward``.
        files: the Arrow parts of the contract, name to bytes.
        tolerance: largest allowed relative difference between torch and ONNX Runtime.
    Returns:
        The artefact, complete and checked.
    Raises:
        ExportError: if the module cannot be exported or ONNX Runtime computes something else.
        ArtefactError: if the model or the manifest breaks a rule.
    """
    signature = manifest.get("signature")
    if signature is None and manifest.get("contract") == "item-propagation/1":
        signature = item_propagation_signature(manifest["dimension"])
    if signature is None and manifest.get("contract") in ORDERING:
        signature = ORDERING[manifest["contract"]](manifest["dimension"])
    if signature is None and manifest.get("contract") == PADDED_BLOCKS:
        signature = block_signature(module, manifest)
    if signature is None:
        raise ArtefactError("This artefact cannot be made", ["the manifest has no signature"])
    manifest = {**manifest, "signature": signature}
    if example is None and manifest.get("contract") == PADDED_BLOCKS:
        example = padded_blocks.golden_inputs(
            BlockSchema.of(manifest), padded_blocks.signature_names(manifest)
        )
    given = [example] if isinstance(example, Mapping) else list(example or ())
    examples = [_as_arrays(inputs, signature) for inputs in given]
    if not examples:
        raise ExportError("Export failed", ["give at least one example"])
    examples += contract_examples(manifest)
    model = to_onnx(module, traceable(examples, signature), signature)
    parity.compare(module, model, examples, tolerance)
    names = [entry["name"] for entry in signature["outputs"]]
    outputs = dict(zip(names, parity.run_torch(module, examples[0]), strict=True))
    complete = {**manifest, "golden": golden.sample(examples[0], outputs)}
    return assemble(complete, {MODEL_FILE: model, **(files or {})})


def traceable(
    examples: Sequence[Mapping[str, NDArray]], signature: Mapping[str, Any]
) -> Mapping[str, NDArray]:
    """The first example whose free dimensions are all above 1, or the first of all.

    Of a free dimension that is 0 or 1 torch concludes here and there that it always is: an encoder whose
    example had a single sender of a type could not be given two.
    """

    def tells_apart(example: Mapping[str, NDArray]) -> bool:
        sizes = zip((array.shape for array in example.values()), signature["inputs"], strict=True)
        return all(
            size > 1
            for shape, entry in sizes
            for size, fixed in zip(shape, entry["shape"], strict=True)
            if fixed is None
        )

    return next(filter(tells_apart, examples), examples[0])


def block_signature(module: torch.nn.Module, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The signature of a ``padded-blocks/1`` module: ``module.tensors``, or the arguments of ``forward``.

    Raises:
        ArtefactError: the manifest's schema or blocks have faults, or there is no tensor of such a name.
    """
    missing = [key for key in ("schema", "blocks", "dimension") if key not in manifest]
    what = "This artefact cannot be made"
    if missing:
        raise ArtefactError(what, [f"the key '{key}' is missing" for key in missing])
    faults = schema_faults(manifest["schema"]) or declaration_faults(manifest)
    if faults:
        raise ArtefactError(what, faults)
    schema = BlockSchema.of(manifest)
    names = getattr(module, "tensors", None)
    if names is None:
        names = list(inspect.signature(module.forward).parameters)
    unknown = [name for name in names if name not in schema.tensors]
    if unknown:
        raise ArtefactError(
            what,
            [
                f"forward takes '{name}'.{did_you_mean(name, schema.tensors)} This manifest has "
                f"{', '.join(schema.tensors)}"
                for name in unknown
            ],
        )
    return schema.signature(manifest["dimension"], names)


def to_onnx(module: torch.nn.Module, example: Mapping[str, NDArray], signature: Mapping[str, Any]) -> bytes:
    """The clean, scanned bytes of ``model.onnx``; the same module and example give the same bytes.

    Raises:
        ExportError: if torch cannot export the module; the reason of torch is kept.
        ArtefactError: if the result breaks a rule of the scan or the signature.
    """
    from torch.export import Dim

    free = tuple(
        {axis: Dim.DYNAMIC for axis, size in enumerate(entry["shape"]) if size is None}
        for entry in signature["inputs"]
    )
    arguments = tuple(torch.from_numpy(np.array(array)) for array in example.values())
    was_training = module.training
    module.eval()
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # torch warns of libraries it would like to have
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                arguments,
                dynamo=True,
                opset_version=OPSET,
                input_names=[entry["name"] for entry in signature["inputs"]],
                output_names=[_OUTPUT.format(at) for at in range(len(signature["outputs"]))],
                dynamic_shapes=(free,) if _takes_any_number(module) else free,
                external_data=False,
                verbose=False,
            )
        proto = program.model_proto
    except Exception as error:  # torch raises many classes here; all mean the module does not export
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ExportError("torch cannot export this module", [reason[0]]) from error
    finally:
        quiet.setLevel(level)
        module.train(was_training)
    _clean(proto)
    _name_outputs(proto, [entry["name"] for entry in signature["outputs"]])
    model = proto.SerializeToString(deterministic=True)
    result = scan.check(model)
    faults = scan.signature_faults(result, dict(signature))
    if faults:
        raise ArtefactError("The exported model does not have the signature of the manifest", faults)
    return model


def did_you_mean(name: str, known: Iterable[str]) -> str:
    return "".join(f" Did you mean '{near}'?" for near in get_close_matches(name, list(known), n=1))


def _takes_any_number(module: torch.nn.Module) -> bool:
    """Whether ``forward`` is ``forward(self, *tensors)``, which torch sees as one argument."""
    kinds = [parameter.kind for parameter in inspect.signature(module.forward).parameters.values()]
    return kinds == [inspect.Parameter.VAR_POSITIONAL]


def _clean(proto: Any) -> None:
    """Remove what tells of the machine (stack traces with paths) and what a later tool may misread.

    Value infos go as well: they are stale after any rewrite and nothing needs them. Free dimensions are
    called d0, d1, … in order of appearance, since torch's own names are no promise.
    """
    del proto.metadata_props[:]
    proto.doc_string = ""
    proto.producer_version = proto.producer_version.partition("+")[0]  # CPU and CUDA builds write the same
    graph = proto.graph
    graph.doc_string = ""
    graph.name = "model"
    del graph.metadata_props[:]
    del graph.value_info[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            if attribute.HasField("t"):
                del attribute.t.metadata_props[:]
    names: dict[str, str] = {}
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.HasField("dim_param"):
                dimension.dim_param = names.setdefault(dimension.dim_param, f"d{len(names)}")


def _name_outputs(proto: Any, names: Sequence[str]) -> None:
    """Give the outputs their names.

    torch calls inner values after operators, ``embedding`` say; one of the name of an output gets another.
    """
    graph = proto.graph
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    renamed = {_OUTPUT.format(at): name for at, name in enumerate(names)}
    for name in names:
        if name in taken:
            free = next(f"{name}_{at}" for at in itertools.count(1) if f"{name}_{at}" not in taken)
            renamed[name] = free
            taken.add(free)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    inner = {name for name in names if name in renamed}
    for constant in graph.initializer:
        if constant.name in inner:
            constant.name = renamed[constant.name]
    for output in graph.output:
        output.name = renamed.get(output.name, output.name)


def _as_arrays(
    inputs: Mapping[str, NDArray | torch.Tensor], signature: Mapping[str, Any]
) -> dict[str, NDArray]:
    """The inputs as arrays in the order of the signature, names and types checked."""
    arrays = {
        name: value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        for name, value in inputs.items()
    }
    declared = {entry["name"]: entry for entry in signature["inputs"]}
    faults = [f"the example lacks the input '{name}'" for name in declared if name not in arrays]
    faults += [f"the signature does not have the input '{name}'" for name in arrays if name not in declared]
    for name in declared.keys() & arrays.keys():
        entry, array = declared[name], arrays[name]
        if str(array.dtype) != entry["dtype"]:
            faults.append(f"the example of '{name}' is {array.dtype}, the signature says {entry['dtype']}")
        shape = entry["shape"]
        if len(shape) != array.ndim or any(
            w is not None and w != f for w, f in zip(shape, array.shape, strict=True)
        ):
            faults.append(
                f"the example of '{name}' has the shape {list(array.shape)}, the signature says {shape}"
            )
    if faults:
        raise ExportError("The example does not fit the signature", sorted(faults))
    return {name: arrays[name] for name in declared}


def contract_examples(manifest: Mapping[str, Any]) -> list[dict[str, NDArray]]:
    """Inputs every model of a contract must stand, by the contract of the manifest; empty where unknown."""
    if manifest.get("contract") == PADDED_BLOCKS:
        return padded_blocks.examples(BlockSchema.of(manifest), padded_blocks.signature_names(manifest))
    if manifest.get("contract") in ORDERING:
        return ordering.examples(manifest["contract"], manifest["dimension"])
    if manifest.get("contract") != "item-propagation/1":
        return []
    from model_export.item_propagation import examples

    return examples(manifest["dimension"])
