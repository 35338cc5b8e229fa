// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static io.gnn4j.inference.ProtoReader.BYTES;
import static io.gnn4j.inference.ProtoReader.FIXED32;
import static io.gnn4j.inference.ProtoReader.VARINT;

import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.artefact.TensorSpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

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
    private static final int MAX_SIZES = 64;
    private static final long MAX_DIMENSION = Integer.MAX_VALUE;

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

    private static final int FLOAT32 = 1;
    private static final int INT32 = 6;
    private static final int INT64 = 7;
    private static final int BOOL = 9;
    /** Bytes of one element of the types a constant may have. */
    private static final Map<Long, Integer> WIDTH =
        Map.of((long) FLOAT32, 4, (long) INT32, 4, (long) INT64, 8, (long) BOOL, 1);
    private static final Map<Long, String> BOUNDARY = Map.of((long) FLOAT32, "float32", (long) INT64, "int64", (long) BOOL, "bool");

    /** One reason to refuse a file. */
    record Finding(String code, String sentence) {}

    /** What a scan saw; a file may be opened when {@code findings} is empty. */
    record Result(List<Finding> findings, List<TensorSpec> inputs, List<TensorSpec> outputs) {}

    /** The fields of one kind of message: number to wire type, and which of them may repeat. */
    private record Fields(String name, Map<Integer, Integer> wires, Set<Integer> repeated) {}

    private static final Fields MODEL = new Fields("model",
        Map.of(1, VARINT, 2, BYTES, 3, BYTES, 4, BYTES, 5, VARINT, 6, BYTES, 7, BYTES, 8, BYTES, 14, BYTES), Set.of(8, 14));
    private static final Fields OPSET = new Fields("operator set", Map.of(1, BYTES, 2, VARINT), Set.of());
    private static final Fields GRAPH = new Fields("graph",
        Map.of(1, BYTES, 2, BYTES, 5, BYTES, 10, BYTES, 11, BYTES, 12, BYTES, 13, BYTES, 16, BYTES), Set.of(1, 5, 11, 12, 13, 16));
    private static final Fields NODE = new Fields("node",
        Map.of(1, BYTES, 2, BYTES, 3, BYTES, 4, BYTES, 5, BYTES, 6, BYTES, 7, BYTES, 9, BYTES), Set.of(1, 2, 5, 9));
    private static final Fields ATTRIBUTE = new Fields("attribute",
        Map.of(1, BYTES, 2, FIXED32, 3, VARINT, 4, BYTES, 5, BYTES, 7, FIXED32, 8, VARINT, 9, BYTES, 13, BYTES, 20, VARINT),
        Set.of(7, 8, 9));
    private static final Fields TENSOR = new Fields("tensor",
        Map.of(1, VARINT, 2, VARINT, 4, FIXED32, 5, VARINT, 7, VARINT, 8, BYTES, 9, BYTES, 12, BYTES, 14, VARINT, 16, BYTES),
        Set.of(1, 4, 5, 7, 16));
    private static final Fields VALUE = new Fields("value", Map.of(1, BYTES, 2, BYTES, 3, BYTES, 4, BYTES), Set.of(4));
    private static final Fields TYPE = new Fields("type", Map.of(1, BYTES, 6, BYTES), Set.of());
    private static final Fields TENSOR_TYPE = new Fields("tensor type", Map.of(1, VARINT, 2, BYTES), Set.of());
    private static final Fields SHAPE = new Fields("shape", Map.of(1, BYTES), Set.of(1));
    private static final Fields DIMENSION = new Fields("dimension", Map.of(1, VARINT, 2, BYTES, 3, BYTES), Set.of());

    /** @param values the integers of a constant small enough to be a shape, else null */
    private record Constant(long[] values) {}

    private final Set<Finding> findings = new LinkedHashSet<>();
    private final List<TensorSpec> inputs = new ArrayList<>();
    private final List<TensorSpec> outputs = new ArrayList<>();
    private final Map<String, Constant> constants = new HashMap<>();
    /** Values that change with the inputs. A size that does not is a constant, and must be written as one. */
    private final Set<String> live = new HashSet<>();
    /** Whether the tensor being read points to another file. */
    private boolean externalSeen;

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
            return new Result(
                List.of(new Finding("size", "It has " + bytes.length + " bytes; 1 to " + MAX_BYTES + " are allowed.")), List.of(),
                    List.of());
        }
        if (bytes.length >= 8 && bytes[4] == 'O' && bytes[5] == 'R' && bytes[6] == 'T' && bytes[7] == 'M') {
            // ONNX Runtime tells its own format by these bytes alone: one model to this walk, another to the runtime.
            return new Result(List.of(new Finding("wire", "It is not an ONNX file: it is in ONNX Runtime's own format.")),
                List.of(), List.of());
        }
        var scan = new OnnxScan();
        try {
            scan.model(new ProtoReader(bytes, 0, bytes.length));
        } catch (ProtoReader.Malformed broken) {
            // What was found before may be an accident of bytes that mean nothing.
            return new Result(List.of(new Finding("wire", "It is not an ONNX file: " + broken.getMessage() + ".")), List.of(), List.of());
        }
        return new Result(List.copyOf(scan.findings), scan.inputs, scan.outputs);
    }

    private void find(String code, String sentence) {
        findings.add(new Finding(code, sentence));
    }

    /** Hands over each allowed field; every other one becomes a finding. */
    private void walk(Fields fields, ProtoReader in, Consumer<ProtoReader> each) {
        var seen = new HashSet<Integer>();
        while (in.next()) {
            var number = in.field();
            if (refusedByName(fields, number)) {
                continue;
            }
            var wire = fields.wires().get(number);
            if (wire == null) {
                find("field", "The " + fields.name() + " has the field " + number + ", which is not allowed.");
                continue;
            }
            var repeats = fields.repeated().contains(number);
            var packed = repeats && wire != BYTES && in.wire() == BYTES;
            if (in.wire() != wire && !packed) {
                find("field", "Field " + number + " of the " + fields.name() + " has wire type " + in.wire() + ".");
            } else if (!seen.add(number) && !repeats) {
                // Some parsers take the last, some merge: whoever scans one way is blind to the other.
                find("field", "Field " + number + " of the " + fields.name() + " stands twice.");
            } else {
                each.accept(in);
            }
        }
    }

    /** Refused with a code of its own, so that the reason is understood. */
    private boolean refusedByName(Fields fields, int number) {
        if (fields == MODEL && number == 20) {
            find("training", "It carries training information; export it for inference.");
        } else if (fields == MODEL && number == 25) {
            find("functions", "It defines operators of its own; export it with all operators inline.");
        } else if (fields == ATTRIBUTE && (number == 6 || number == 11)) {
            find("subgraph", "An attribute holds a graph.");
        } else if (fields == TENSOR && number == 13) {
            external();
        } else {
            return false;
        }
        return true;
    }

    private void model(ProtoReader in) {
        var ir = new long[] {-1};
        var graph = new ProtoReader[1];
        var own = new ArrayList<Long>();
        walk(MODEL, in, at -> {
            switch (at.field()) {
                case 1 -> ir[0] = at.number();
                case 7 -> graph[0] = at.message();
                case 8 -> operatorSet(at.message(), own);
                default -> { }
            }
        });
        if (ir[0] < 7 || ir[0] > 10) {
            find("ir-version", "Its IR version is " + ir[0] + "; 7 to 10 are supported.");
        }
        if (own.size() != 1 || own.get(0) < 17 || own.get(0) > 20) {
            find("opset", "Its opset is " + own + "; exactly one of 17 to 20 is supported.");
        }
        if (graph[0] == null) {
            throw new ProtoReader.Malformed("it has no graph");
        }
        graph(graph[0]);
    }

    private void operatorSet(ProtoReader in, List<Long> own) {
        var domain = new String[] {""};
        var version = new long[1];
        walk(OPSET, in, at -> {
            if (at.field() == 1) {
                domain[0] = at.text();
            } else {
                version[0] = at.number();
            }
        });
        if (isOwn(domain[0])) {
            own.add(version[0]);
        } else {
            find("domain", "It imports the operator domain '" + shown(domain[0]) + "'; only ONNX's own is allowed.");
        }
    }

    private void graph(ProtoReader in) {
        var nodes = new ArrayList<ProtoReader>();
        var initialisers = new ArrayList<ProtoReader>();
        var declaredInputs = new ArrayList<ProtoReader>();
        var declaredOutputs = new ArrayList<ProtoReader>();
        var count = new int[1];
        walk(GRAPH, in, at -> {
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
            find("nodes", "It has " + count[0] + " nodes; at most " + MAX_NODES + " are allowed.");
            return;
        }
        if (declaredOutputs.isEmpty()) {
            find("signature", "It has no outputs.");
        }
        declaredInputs.forEach(value -> boundary(value, inputs));
        declaredOutputs.forEach(value -> boundary(value, outputs));
        for (var initialiser : initialisers) {
            var tensor = tensor(initialiser);
            define(tensor.name(), tensor.constant());
        }
        inputs.forEach(input -> live.add(input.name()));
        live.removeAll(constants.keySet());
        nodes.forEach(this::node);
    }

    private void define(String name, Constant constant) {
        if (constants.put(name, constant) != null) {
            find("duplicate", "The constant '" + shown(name) + "' stands twice.");
        }
    }

    private void node(ProtoReader in) {
        var operator = new String[] {""};
        var domain = new String[] {""};
        var from = new ArrayList<String>();
        var to = new ArrayList<String>();
        var attributes = new LinkedHashMap<String, Attribute>();
        walk(NODE, in, at -> {
            switch (at.field()) {
                case 1 -> from.add(at.text());
                case 2 -> to.add(at.text());
                case 4 -> operator[0] = at.text();
                case 7 -> domain[0] = at.text();
                case 5 -> {
                    var attribute = attribute(at.message());
                    if (attributes.put(attribute.name(), attribute) != null) {
                        find("duplicate", "An operator has the attribute '" + shown(attribute.name()) + "' twice.");
                    }
                }
                default -> { }
            }
        });
        var type = operator[0];
        if (!isOwn(domain[0])) {
            find("domain", "The operator " + shown(domain[0]) + "." + shown(type) + " is not one of ONNX's own.");
        } else if (!OPERATORS.contains(type)) {
            find("operator", "The operator " + shown(type) + " is not on the list of allowed operators.");
        }
        var reduction = attributes.get("reduction");
        if (type.equals("ScatterND") && reduction != null && !"none".equals(reduction.text())) {
            find("scatter", "ScatterND with a reduction gives wrong sums with two threads; use ScatterElements or, better,"
                + " Gather and MatMul.");
        }
        if (type.equals("Constant")) {
            var values = new Constant(null);
            for (var key : List.of("value", "value_ints", "value_int")) {
                if (attributes.containsKey(key)) {
                    values = new Constant(attributes.get(key).values());
                    break;
                }
            }
            for (var name : to) {
                define(name, values);
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
            find("allocation", "The size that " + operator + " is given is computed from constants; write it as a constant.");
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
            find("allocation", operator + " asks for " + asked + " elements; at most " + MAX_ELEMENTS
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
        walk(ATTRIBUTE, in, at -> {
            var field = at.field();
            if (field >= 2 && field <= 9) {
                kinds.add(field);
            }
            switch (field) {
                case 1 -> name[0] = at.text();
                case 3 -> values[0] = new long[] {at.number()};
                // Not a name, so any bytes may stand here.
                case 4 -> text[0] = at.size() <= 16 ? new String(at.raw(), java.nio.charset.StandardCharsets.ISO_8859_1) : "?";
                case 5 -> values[0] = tensor(at.message()).constant().values();
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
            find("field", "The attribute '" + shown(name[0]) + "' holds values of several kinds.");
            // Which of them counts depends on the reader.
            values[0] = null;
        }
        return new Attribute(name[0], text[0], values[0] != null && values[0].length > MAX_SIZES ? null : values[0]);
    }

    private record Tensor(String name, Constant constant) {}

    private Tensor tensor(ProtoReader in) {
        var read = new TensorFields();
        externalSeen = false;
        walk(TENSOR, in, at -> {
            switch (at.field()) {
                case 1 -> {
                    for (var dim : at.numbers()) {
                        read.dims.add(dim);
                    }
                }
                case 2 -> read.type = at.number();
                case 4 -> {
                    if (at.wire() == BYTES && at.size() % 4 != 0) {
                        throw new ProtoReader.Malformed("a list of float32 is not a multiple of four bytes");
                    }
                    read.floats += at.wire() == BYTES ? at.size() / 4 : 1;
                }
                case 5 -> read.ints += at.numbers().length;
                case 7 -> read.longs(at.numbers());
                case 8 -> read.name = at.text();
                case 9 -> {
                    read.raw = at.size();
                    read.rawLongs = at.size() <= 8 * MAX_SIZES ? at.rawLongs() : null;
                }
                case 14 -> {
                    if (at.number() != 0) {
                        external();
                    }
                }
                default -> { }
            }
        });
        return new Tensor(read.name, new Constant(externalSeen ? null : sizes(read)));
    }

    private void external() {
        externalSeen = true;
        find("external-data", "A tensor keeps its data in another file; export it with the weights inline.");
    }

    /** @return the integers of a sound, small int64 tensor, else null */
    private long[] sizes(TensorFields read) {
        var label = "The constant '" + shown(read.name) + "'";
        var width = WIDTH.get(read.type);
        if (width == null) {
            find("tensor-type", label + " has the ONNX type " + read.type + "; float32, int32, int64 and bool are allowed.");
            return null;
        }
        var product = 1.0;
        for (var dim : read.dims) {
            if (dim < 0 || dim > MAX_DIMENSION) {
                find("tensor-size", label + " has a dimension of " + dim + ".");
                return null;
            }
            product *= dim;
        }
        var typed = read.type == FLOAT32 ? read.floats : read.type == INT64 ? read.longs : read.ints;
        var elsewhere = read.floats + read.longs + read.ints - typed + (read.raw >= 0 ? typed : 0);
        var found = read.raw >= 0 ? read.raw : typed * width;
        if (product * width != found || elsewhere > 0) { // exact: a file has fewer bytes than a double has whole numbers
            find("tensor-size", label + " of shape " + read.dims.subList(0, Math.min(8, read.dims.size())) + " should hold "
                + String.format(Locale.ROOT, "%.0f", product * width) + " bytes, but holds " + found
                + (elsewhere > 0 ? ", and more in another field." : "."));
            return null;
        }
        var elements = (long) product;
        if (read.type != INT64 || elements > MAX_SIZES) {
            return null;
        }
        return read.raw >= 0 ? read.rawLongs : Arrays.copyOf(read.values, (int) elements);
    }

    private static final class TensorFields {
        String name = "";
        long type;
        final List<Long> dims = new ArrayList<>();
        long floats;
        long ints;
        long longs;
        long[] values = new long[0];
        long raw = -1;
        long[] rawLongs;

        void longs(long[] more) {
            longs += more.length;
            if (longs <= MAX_SIZES) {
                var before = values.length;
                values = Arrays.copyOf(values, before + more.length);
                System.arraycopy(more, 0, values, before, more.length);
            }
        }
    }

    private void boundary(ProtoReader in, List<TensorSpec> into) {
        var spec = value(in, true);
        if (spec.shape() == null || !BOUNDARY.containsKey(spec.type())) {
            find("input-type", "The input or output '" + shown(spec.name())
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
        walk(VALUE, in, at -> {
            if (at.field() == 1) {
                name[0] = at.text();
            } else if (at.field() == 2 && !(boundary && isForeign(at.message()))) {
                walk(TYPE, at.message(), kind -> {
                    if (kind.field() == 1) {
                        walk(TENSOR_TYPE, kind.message(), tensor -> {
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
        walk(SHAPE, in, at -> {
            var size = new long[] {-1};
            walk(DIMENSION, at.message(), dimension -> {
                if (dimension.field() == 1) {
                    size[0] = dimension.number();
                    if (size[0] < 0 || size[0] > MAX_DIMENSION) {
                        find("input-type", "A shape has a dimension of " + size[0] + ".");
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

    /** A name from the file as it may appear in a sentence: short and printable. */
    private static String shown(String name) {
        var text = new StringBuilder();
        name.codePoints().limit(60).forEach(c -> text.appendCodePoint(Character.isISOControl(c) || !Character.isDefined(c) ? '?' : c));
        return text.toString();
    }
}
