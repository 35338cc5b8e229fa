"""Export of modules: parity with torch, clean and deterministic bytes, refusals in words."""

import getpass
import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from model_export import ArtefactError, ExportError, export, open_session, parity
from model_export import session as session_module
from model_export.exporter import to_onnx
from model_export.item_propagation import UserEncoder, build, examples, golden_inputs
from model_export.scan import scan_model
from model_export.session import available_providers, cuda_devices
from model_export.signature import item_propagation_signature, signature_of

FEATURES = signature_of([("x", "float32", [None, 3], "features")], [("y", "float32", [None, 2], "embedding")])


def manifest(signature, contract="flat-edges/1"):
    return {
        "contract": contract,
        "model": "own",
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0.1.0",
        "dimension": 2,
        "signature": signature,
        "schema": {"nodes": {}, "relations": []},
        "task": {},
        "training": {"graph": {}, "cutoff": None, "seed": 1, "hyperparameters": {}},
        "metrics": [],
    }


class Tower(torch.nn.Module):
    """A module that is not one of ours."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.GELU(), torch.nn.Linear(8, 2))

    def forward(self, x):
        return self.layers(x)


class Scatter(torch.nn.Module):
    def forward(self, x, at):
        return torch.zeros(x.size(0), 3).index_add(0, at, x)


class Padded(torch.nn.Module):
    """Mean of padded neighbours by Gather and MatMul; M = 0 rows are allowed."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.linear = torch.nn.Linear(6, 2)

    def forward(self, x, neighbours):
        count, width = neighbours.size(0), neighbours.size(1)
        mask = (neighbours >= 0).to(x.dtype)
        near = x.index_select(0, neighbours.clamp(min=0).flatten()).view(count, width, x.size(1))
        share = mask / (mask.unsqueeze(1) @ mask.unsqueeze(2)).squeeze(2).clamp(min=1)
        mean = (share.unsqueeze(1) @ near).squeeze(1)
        return self.linear(torch.cat([x[:count], mean], 1))


def features(rows, seed=0):
    return {"x": np.random.default_rng(seed).normal(size=(rows, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def lightgcn():
    return to_onnx(UserEncoder(0.5), golden_inputs(8), item_propagation_signature(8))


def by_hand(context, weight, degree, exponent):
    """q of formats.md section 3, user by user in double."""
    out = np.zeros((len(degree), context.shape[2]))
    for row, d in enumerate(degree):
        read = [h for h in range(weight.shape[1]) if weight[row, h] != 0]
        if read:
            total = sum(float(weight[row, h]) * context[row, h].astype(float) for h in read)
            out[row] = float(d) ** -exponent * (float(d) / len(read)) * total
    return out


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_user_encoder_equals_a_loop_over_users(exponent):
    for inputs in examples(5):
        (found,) = parity.run_torch(UserEncoder(exponent), inputs)
        assert found == pytest.approx(by_hand(**inputs, exponent=exponent), abs=2e-4, rel=1e-5)


def test_the_examples_cover_what_the_contract_allows():
    made = examples(4)
    batches = {inputs["weight"].shape[0] for inputs in made}
    assert {0, 1, 64, 1024} <= batches
    assert {1, 500} <= {inputs["weight"].shape[1] for inputs in made}
    assert any((inputs["degree"] == 0).any() for inputs in made)
    assert any(((inputs["weight"] == 0).all(1) & (inputs["degree"] > 0)).any() for inputs in made)
    assert any((inputs["degree"] > (inputs["weight"] != 0).sum(1)).any() for inputs in made)


def test_onnx_equals_torch_at_every_size_with_one_thread_and_two(lightgcn):
    result = parity.compare(UserEncoder(0.5), lightgcn, examples(8))
    assert len(result.sizes) == len(examples(8))
    assert result.largest_difference <= 1e-5


def test_only_matmul_and_elementwise_operators_encode_a_user(lightgcn):
    allowed = {
        "Equal",
        "Not",
        "Cast",
        "Unsqueeze",
        "Squeeze",
        "MatMul",
        "Pow",
        "Sqrt",
        "Clip",
        "Div",
        "Mul",
        "Max",
    }
    assert set(scan_model(lightgcn).operators) <= allowed


def test_the_bytes_say_nothing_of_the_machine(lightgcn):
    home, here = str(Path.home()), str(Path(__file__).resolve().parents[2])
    for private in (
        home,
        here,
        torch.__file__,
        "site-packages",
        ".py",
        'File "',
        platform.node(),
        getpass.getuser(),
    ):
        assert private.encode() not in lightgcn, private
    for key in (b"pkg.torch", b"stack_trace", b"namespace"):
        assert key not in lightgcn


def test_the_same_module_gives_the_same_bytes(lightgcn):
    again = to_onnx(UserEncoder(0.5), golden_inputs(8), item_propagation_signature(8))
    assert again == lightgcn


def test_free_dimensions_are_free_and_have_names_of_our_own(lightgcn):
    shapes = {info.name: info.shape for info in scan_model(lightgcn).inputs}
    assert shapes == {"context": (None, None, 8), "weight": (None, None), "degree": (None,)}
    assert b"d0" in lightgcn
    assert b"d1" in lightgcn


def test_any_module_becomes_an_artefact_that_runs():
    module = Tower()
    artefact = export(module, [features(4), features(1), features(0), features(300)], manifest(FEATURES))
    inputs = features(17, seed=9)
    (expected,) = parity.run_torch(module, inputs)
    assert open_session(artefact.model).run(inputs)["y"] == pytest.approx(expected, abs=1e-6)
    assert artefact.manifest["golden"]["inputs"]["x"]["shape"] == [4, 3]
    assert artefact.manifest["parts"][0]["file"] == "model.onnx"


def test_a_padded_block_module_exports_and_runs_without_neighbours():
    signature = signature_of(
        [("x", "float32", [None, 3], "features"), ("neighbours", "int64", [None, None], "neighbours")],
        [("y", "float32", [None, 2], "embedding")],
    )

    def blocks(rows, receivers, width, seed=0):
        near = np.random.default_rng(seed).integers(-1, rows, (receivers, width))
        return {**features(rows), "neighbours": near}

    given = [
        blocks(9, 4, 3),
        blocks(1, 1, 1),
        blocks(5, 0, 4),
        {**features(2), "neighbours": np.full((2, 2), -1)},
    ]
    artefact = export(Padded(), given, manifest(signature))
    assert {"ScatterND", "ScatterElements", "Loop"}.isdisjoint(scan_model(artefact.model).operators)


def test_a_scatter_with_a_sum_is_refused_with_the_way_out():
    signature = signature_of(
        [("x", "float32", [None, 3], "features"), ("at", "int64", [None], "index")],
        [("y", "float32", [None, 3], "embedding")],
    )
    example = {**features(4), "at": np.array([0, 0, 1, 2])}
    with pytest.raises(ArtefactError, match="ScatterND with a reduction gives wrong sums with two threads"):
        to_onnx(Scatter(), example, signature)


def test_a_module_that_torch_cannot_export_says_so():
    class Branch(torch.nn.Module):
        def forward(self, x):
            return x * 2 if x.sum() > 0 else x

    with pytest.raises(ExportError, match="torch cannot export this module"):
        to_onnx(
            Branch(),
            features(3),
            signature_of(
                [("x", "float32", [None, 3], "features")], [("y", "float32", [None, 3], "embedding")]
            ),
        )


def test_a_model_that_computes_something_else_is_refused(lightgcn):
    with pytest.raises(ExportError) as error:
        parity.compare(UserEncoder(0.25), lightgcn, [golden_inputs(8)])
    assert len(error.value.faults) == 2  # one thread and two
    assert "differs by up to" in error.value.faults[0]


def test_torch_values_that_are_not_finite_are_refused(lightgcn):
    inputs = golden_inputs(8)
    inputs["context"][0, 0, 0] = np.inf
    with pytest.raises(ExportError, match="not finite in torch"):
        parity.compare(UserEncoder(0.5), lightgcn, [inputs])


def test_a_comparison_of_nothing_is_refused(lightgcn):
    with pytest.raises(ExportError, match="nothing to compare with"):
        parity.compare(UserEncoder(0.5), lightgcn, [])


def test_an_example_that_does_not_fit_lists_all_faults():
    bad = {"x": np.zeros((2, 4)), "z": np.zeros(1)}
    with pytest.raises(ExportError) as error:
        export(Tower(), bad, manifest(FEATURES))
    assert error.value.faults == [
        "the example of 'x' has the shape [2, 4], the signature says [None, 3]",
        "the example of 'x' is float64, the signature says float32",
        "the signature does not have the input 'z'",
    ]


def test_a_model_in_training_mode_is_exported_for_use_and_left_in_training():
    class Drop(Tower):
        def forward(self, x):
            return torch.nn.functional.dropout(super().forward(x), 0.5, self.training)

    module = Drop().train()
    artefact = export(module, features(5), manifest(FEATURES))
    assert module.training
    assert "Dropout" not in scan_model(artefact.model).operators


def test_both_kinds_of_vectors_at_once_or_none_are_refused():
    arguments = {
        "model": "m",
        "item_label": "Item",
        "keys": np.array([1]),
        "layers": 1,
        "exponent": 0.5,
        "schema": {},
        "task": {},
        "gnn4j_version": "0",
    }
    for vectors in (
        {},
        {"base": np.ones((1, 2)), "e": np.ones((1, 2)), "c": np.ones((1, 2))},
        {"e": np.ones((1, 2))},
    ):
        with pytest.raises(ArtefactError, match="give either base, or both e and c"):
            build(**arguments, **vectors)


def test_the_session_runs_on_the_cpu_where_there_is_no_gpu(lightgcn, capfd, monkeypatch):
    monkeypatch.setattr(session_module, "cuda_devices", lambda: 0)
    assert available_providers() == ["CPUExecutionProvider"]
    session = open_session(lightgcn)
    assert capfd.readouterr() == ("", "")  # a runtime built for CUDA does not complain on the terminal
    assert session.providers == ["CPUExecutionProvider"]
    with pytest.raises(ArtefactError) as error:
        session.run({"context": np.zeros((1, 1, 8), np.float32), "weigth": np.zeros((1, 1), np.float32)})
    assert error.value.faults == [
        "input 'weight' is missing",
        "input 'degree' is missing",
        "the model has no input 'weigth'",
    ]


@pytest.mark.gpu
@pytest.mark.skipif(cuda_devices() == 0, reason="no CUDA device")
def test_the_session_runs_on_the_gpu_with_the_same_numbers(lightgcn):
    inputs = examples(8)[4]
    on_gpu, on_cpu = open_session(lightgcn), open_session(lightgcn, providers=["CPUExecutionProvider"])
    assert on_gpu.providers[0] == "CUDAExecutionProvider"
    assert on_gpu.run(inputs)["query"] == pytest.approx(on_cpu.run(inputs)["query"], abs=1e-5, rel=1e-5)


def test_an_inner_value_may_have_the_name_of_the_output():
    """torch calls the result of an Embedding ``embedding``; so is the output of padded-blocks/1."""

    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(5, 3)

        def forward(self, index):
            return self.table(index) * 2.0

    given = signature_of(
        [("index", "int64", [None], "index")], [("embedding", "float32", [None, 3], "embedding")]
    )
    module = Twice()
    model = to_onnx(module, {"index": np.array([1, 4, 2])}, given)
    found = open_session(model).run({"index": np.array([0, 4])})["embedding"]
    assert found == pytest.approx(2 * module.table.weight.detach().numpy()[[0, 4]])
