// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.artefact.TensorSpec;
import io.gnn4j.inference.ScanFindings.Finding;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Reads an ONNX file as wire format and finds what must not reach ONNX Runtime; docs/formats.md section 5 is the contract.
 *
 * <p>ONNX Runtime reads external data from the working directory, runs any operator and allocates what a file of a hundred
 * bytes asks for, and its Java interface has no memory limit. So only files made of known fields, known operators, inline
 * weights and bounded sizes go on. Each finding has a code of that page; all findings of a file are named together.
 */
public final class OnnxScan {
    static final int MAX_BYTES = 64 << 20;
    static final int MAX_NODES = 5_000;
    static final long MAX_ELEMENTS = 1L << 24;

    /** What an encoder may be made of. */
    static final Set<String> OPERATORS = Set.of(
        "Abs", "Add", "And", "ArgMax", "ArgMin", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Concat", "Constant",
        "ConstantOfShape", "Cos", "CumSum", "Div", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor",
        "GRU", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "Greater", "GreaterOrEqual", "GroupNormalization",
        "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LSTM", "LayerNormalization", "LeakyRelu", "Less",
        "LessOrEqual", "Log", "LogSoftmax", "MatMul", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "NonZero", "Not",
        "Or", "PRelu", "Pow", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Round", "ScatterElements",
        "ScatterND", "Selu", "Shape", "Sigmoid", "Sign", "Sin", "Size", "Slice", "Softmax", "Softplus", "Softsign", "Split",
        "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where", "Xor");

    /** Operators that make memory out of numbers, and the inputs that hold these numbers. */
    private static final Map<String, int[]> ALLOCATORS = Map.of("ConstantOfShape", new int[] {0}, "Expand", new int[] {1},
        "Tile", new int[] {1}, "Range", new int[] {0, 1, 2});

    /** The types an input or output may have. */
    private static final Map<Long, String> BOUNDARY = Map.of((long) OnnxConstant.FLOAT32, "float32",
        (long) OnnxConstant.INT64, "int64", (long) OnnxConstant.BOOL, "bool");

    /** What a scan saw; a file may be opened when {@code findings} is empty. */
    record Result(List<Finding> findings, List<TensorSpec> inputs, List<TensorSpec> outputs) {}

    private final ScanFindings findings = new ScanFindings();
    private final List<TensorSpec> inputs = new ArrayList<>();
    private final List<TensorSpec> outputs = new ArrayList<>();
    private final Map<String, OnnxConstant> constants = new HashMap<>();
    /** Values that change with the inputs. A size that does not is a constant, and must be written as one. */
    private final Set<String> live = new HashSet<>();

    private OnnxScan() {}

    /**
     * @return the inputs and outputs the file declares
     * @throws ModelRefused with every finding
     */
    static Result check(byte[] bytes) {
        var result = scan(bytes);
        if (!result.findings().isEmpty()) {
            // 5,000 bad nodes are not 5,000 sentences.
            throw new ModelRefused("model.onnx",
                result.findings().stream().limit(20).map(found -> found.sentence() + " [" + found.code() + "]").toList());
        }
        return result;
    }

    /** Never throws, whatever the bytes are. */
    static Result scan(byte[] bytes) {
        if (bytes.length == 0 || bytes.length > MAX_BYTES) {
            return refused("size", "It has " + bytes.length + " bytes; 1 to " + MAX_BYTES + " are allowed.");
        }
        if (bytes.length >= 8 && bytes[4] == 'O' && bytes[5] == 'R' && bytes[6] == 'T' && bytes[7] == 'M') {
            // ONNX Runtime tells its own format by these bytes alone: one model to this walk, another to the runtime.
            return refused("wire", "It is not an ONNX file: it is in ONNX Runtime's own format.");
        }
        var scan = new OnnxScan();
        try {
            scan.model(new ProtoReader(bytes, 0, bytes.length));
        } catch (ProtoReader.Malformed broken) {
            // What was found before may be an accident of bytes that mean nothing.
            return refused("wire", "It is not an ONNX file: " + broken.getMessage() + ".");
        }
        return new Result(scan.findings.list(), scan.inputs, scan.outputs);
    }

    /** For what is not looked into any further. */
    private static Result refused(String code, String sentence) {
        return new Result(List.of(new Finding(code, sentence)), List.of(), List.of());
    }

    private void model(ProtoReader in) {
        var ir = new long[] {-1};
        var graph = new ProtoReader[1];
        var own = new ArrayList<Long>();
        OnnxMessage.MODEL.walk(in, findings, at -> {
            switch (at.field()) {
                case 1 -> ir[0] = at.number();
                case 7 -> graph[0] = at.message();
                case 8 -> operatorSet(at.message(), own);
                default -> { }
            }
        });
        if (ir[0] < 7 || ir[0] > 10) {
            findings.add("ir-version", "Its IR version is " + ir[0] + "; 7 to 10 are supported.");
        }
        if (own.size() != 1 || own.get(0) < 17 || own.get(0) > 20) {
            findings.add("opset", "Its opset is " + own + "; exactly one of 17 to 20 is supported.");
        }
        if (graph[0] == null) {
            throw new ProtoReader.Malformed("it has no graph");
        }
        graph(graph[0]);
    }

    private void operatorSet(ProtoReader in, List<Long> own) {
        var domain = new String[] {""};
        var version = new long[1];
        OnnxMessage.OPSET.walk(in, findings, at -> {
            if (at.field() == 1) {
                domain[0] = at.text();
            } else {
                version[0] = at.number();
            }
        });
        if (isOwn(domain[0])) {
            own.add(version[0]);
        } else {
            findings.add("domain", "It imports the operator domain '" + ScanFindings.shown(domain[0]) + "'; only ONNX's own is allowed.");
        }
    }

    private void graph(ProtoReader in) {
        var nodes = new ArrayList<ProtoReader>();
        var initialisers = new ArrayList<ProtoReader>();
        var declaredInputs = new ArrayList<ProtoReader>();
        var declaredOutputs = new ArrayList<ProtoReader>();
        var count = new int[1];
        OnnxMessage.GRAPH.walk(in, findings, at -> {
            switch (at.field()) {
                case 1 -> {
                    if (++count[0] <= MAX_NODES) {
                        nodes.add(at.message());
                    }
                }
                case 5 -> initialisers.add(at.message());
                case 11 -> declaredInputs.add(at.message());
                case 12 -> declaredOutputs.add(at.message());
                case 13 -> value(at.message(), false);
                default -> { }
            }
        });
        if (count[0] > MAX_NODES) {
            findings.add("nodes", "It has " + count[0] + " nodes; at most " + MAX_NODES + " are allowed.");
            return;
        }
        if (declaredOutputs.isEmpty()) {
            findings.add("signature", "It has no outputs.");
        }
        declaredInputs.forEach(value -> boundary(value, inputs));
        declaredOutputs.forEach(value -> boundary(value, outputs));
        for (var initialiser : initialisers) {
            var constant = OnnxConstant.read(initialiser, findings);
            define(constant.name(), constant);
        }
        inputs.forEach(input -> live.add(input.name()));
        live.removeAll(constants.keySet());
        nodes.forEach(this::node);
    }

    private void define(String name, OnnxConstant constant) {
        if (constants.put(name, constant) != null) {
            findings.add("duplicate", "The constant '" + ScanFindings.shown(name) + "' stands twice.");
        }
    }

    private void node(ProtoReader in) {
        var operator = new String[] {""};
        var domain = new String[] {""};
        var from = new ArrayList<String>();
        var to = new ArrayList<String>();
        var attributes = new LinkedHashMap<String, Attribute>();
        OnnxMessage.NODE.walk(in, findings, at -> {
            switch (at.field()) {
                case 1 -> from.add(at.text());
                case 2 -> to.add(at.text());
                case 4 -> operator[0] = at.text();
                case 7 -> domain[0] = at.text();
                case 5 -> {
                    var attribute = attribute(at.message());
                    if (attributes.put(attribute.name(), attribute) != null) {
                        findings.add("duplicate", "An operator has the attribute '" + ScanFindings.shown(attribute.name()) + "' twice.");
                    }
                }
                default -> { }
            }
        });
        var type = operator[0];
        if (!isOwn(domain[0])) {
            findings.add("domain",
                "The operator " + ScanFindings.shown(domain[0]) + "." + ScanFindings.shown(type) + " is not one of ONNX's own.");
        } else if (!OPERATORS.contains(type)) {
            findings.add("operator", "The operator " + ScanFindings.shown(type) + " is not on the list of allowed operators.");
        }
        var reduction = attributes.get("reduction");
        if (type.equals("ScatterND") && reduction != null && !"none".equals(reduction.text())) {
            findings.add("scatter", "ScatterND with a reduction gives wrong sums with two threads; use ScatterElements or, better,"
                + " Gather and MatMul.");
        }
        if (type.equals("Constant")) {
            var held = List.of("value", "value_ints", "value_int").stream().map(attributes::get).filter(Objects::nonNull).findFirst();
            for (var name : to) {
                define(name, new OnnxConstant(name, held.map(Attribute::values).orElse(null)));
            }
            return;
        }
        for (var position : ALLOCATORS.getOrDefault(type, new int[0])) {
            if (position < from.size()) {
                allocation(type, from.get(position));
            }
        }
        if (from.stream().anyMatch(live::contains)) {
            to.stream().filter(name -> !name.isEmpty()).forEach(live::add);
        }
    }

    private void allocation(String operator, String size) {
        if (live.contains(size)) {
            return;
        }
        var constant = constants.get(size);
        if (constant == null) {
            findings.add("allocation", "The size that " + operator + " is given is computed from constants; write it as a constant.");
            return;
        }
        var product = 1.0;
        if (constant.values() != null) {
            for (var value : constant.values()) {
                product *= Math.max(1.0, Math.abs((double) value));
            }
        }
        if (constant.values() == null || product > MAX_ELEMENTS) {
            var asked = constant.values() == null ? "unknown many" : String.format(Locale.ROOT, "%.0f", product);
            findings.add("allocation", operator + " asks for " + asked + " elements; at most " + MAX_ELEMENTS
                + " may be asked for by a constant.");
        }
    }

    /** @param text of a string attribute, else null; @param values integers of it, else null */
    private record Attribute(String name, String text, long[] values) {}

    private Attribute attribute(ProtoReader in) {
        var name = new String[] {""};
        var text = new String[1];
        var values = new long[][] {null};
        var kinds = new HashSet<Integer>();
        OnnxMessage.ATTRIBUTE.walk(in, findings, at -> {
            var field = at.field();
            if (field >= 2 && field <= 9) {
                kinds.add(field);
            }
            switch (field) {
                case 1 -> name[0] = at.text();
                case 3 -> values[0] = new long[] {at.number()};
                // Not a name, so any bytes may stand here.
                case 4 -> text[0] = at.size() <= 16 ? new String(at.raw(), StandardCharsets.ISO_8859_1) : "?";
                case 5 -> values[0] = OnnxConstant.read(at.message(), findings).values();
                case 8 -> {
                    var more = at.numbers();
                    var before = values[0] == null ? new long[0] : values[0];
                    values[0] = Arrays.copyOf(before, before.length + more.length);
                    System.arraycopy(more, 0, values[0], before.length, more.length);
                }
                default -> { }
            }
        });
        if (kinds.size() > 1) {
            findings.add("field", "The attribute '" + ScanFindings.shown(name[0]) + "' holds values of several kinds.");
            // Which of them counts depends on the reader.
            values[0] = null;
        }
        return new Attribute(name[0], text[0], values[0] != null && values[0].length > OnnxConstant.MAX_SIZES ? null : values[0]);
    }

    private void boundary(ProtoReader in, List<TensorSpec> into) {
        var spec = value(in, true);
        if (spec.shape() == null || !BOUNDARY.containsKey(spec.type())) {
            findings.add("input-type", "The input or output '" + ScanFindings.shown(spec.name())
                + "' must be a tensor of float32, int64 or bool with a known rank.");
        } else {
            into.add(new TensorSpec(spec.name(), BOUNDARY.get(spec.type()), spec.shape()));
        }
    }

    /** @param shape null where the rank is not known, or it is no tensor */
    private record Value(String name, long type, List<Long> shape) {}

    /** @param boundary an input or output, whose foreign types have a code of their own */
    private Value value(ProtoReader in, boolean boundary) {
        var name = new String[] {""};
        var type = new long[1];
        var shape = new ArrayList<List<Long>>();
        OnnxMessage.VALUE.walk(in, findings, at -> {
            if (at.field() == 1) {
                name[0] = at.text();
            } else if (at.field() == 2 && !(boundary && isForeign(at.message()))) {
                OnnxMessage.TYPE.walk(at.message(), findings, kind -> {
                    if (kind.field() == 1) {
                        OnnxMessage.TENSOR_TYPE.walk(kind.message(), findings, tensor -> {
                            if (tensor.field() == 1) {
                                type[0] = tensor.number();
                            } else {
                                shape.add(shape(tensor.message()));
                            }
                        });
                    }
                });
            }
        });
        return new Value(name[0], type[0], shape.isEmpty() ? null : shape.get(0));
    }

    /** Sequence, map, opaque, sparse or optional. */
    private static boolean isForeign(ProtoReader type) {
        var foreign = false;
        while (type.next()) {
            foreign |= Set.of(4, 5, 7, 8, 9).contains(type.field());
        }
        return foreign;
    }

    private List<Long> shape(ProtoReader in) {
        var sizes = new ArrayList<Long>();
        OnnxMessage.SHAPE.walk(in, findings, at -> {
            var size = new long[] {-1};
            OnnxMessage.DIMENSION.walk(at.message(), findings, dimension -> {
                if (dimension.field() == 1) {
                    size[0] = dimension.number();
                    if (size[0] < 0 || size[0] > OnnxConstant.MAX_DIMENSION) {
                        findings.add("input-type", "A shape has a dimension of " + size[0] + ".");
                    }
                }
            });
            sizes.add(size[0]);
        });
        return sizes;
    }

    private static boolean isOwn(String domain) {
        return domain.isEmpty() || domain.equals("ai.onnx");
    }
}
