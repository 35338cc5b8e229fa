// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What {@code manifest.json} of an artefact says, checked; docs/formats.md section 2 is the contract.
 *
 * @param sha256 of the manifest's bytes: the identity of the model, since the manifest pins every other file
 * @param contract one of {@link #CONTRACTS}
 * @param dimension length of a vector, in [1, {@value #MAX_DIMENSION}]; 0 where the contract has none
 * @param similarity {@code dot} or {@code cosine}; null where nothing is compared
 * @param task the task map as it was given; may be empty where the contract is {@code padded-blocks/1}
 * @param propagation null unless the contract is {@code item-propagation/1}
 * @param blocks null unless the contract is {@code padded-blocks/1}
 * @param serving null unless the contract is {@code vectors/1}, {@code item-weights/1}, {@code sequence/1} or {@code pair/1}
 * @param golden null without a network, as the two lists of tensors are empty then
 * @param json everything, with Cypher's types
 * @param tree everything, with numbers as they were written
 */
public record Manifest(
    String sha256,
    String contract,
    int dimension,
    String similarity,
    Map<String, Object> task,
    Propagation propagation,
    BlockSchema blocks,
    Serving serving,
    Schema schema,
    List<TensorSpec> inputs,
    List<TensorSpec> outputs,
    Golden golden,
    List<Part> parts,
    Map<String, Object> json,
    Map<?, ?> tree) {

    public static final String FILE = "manifest.json";
    public static final String MODEL_FILE = "model.onnx";
    public static final String VECTORS_FILE = "vectors.arrow";
    public static final String WEIGHTS_FILE = "weights.arrow";
    public static final String LISTS_FILE = "lists.arrow";
    public static final String ITEM_PROPAGATION = "item-propagation/1";
    public static final String PADDED_BLOCKS = "padded-blocks/1";
    public static final String VECTORS = "vectors/1";
    public static final String ITEM_WEIGHTS = "item-weights/1";
    public static final String LISTS = "lists/1";
    public static final String SEQUENCE = "sequence/1";
    public static final String PAIR = "pair/1";
    public static final List<String> CONTRACTS =
        List.of(ITEM_PROPAGATION, PADDED_BLOCKS, VECTORS, ITEM_WEIGHTS, LISTS, SEQUENCE, PAIR);
    /** What each contract has beside the manifest. */
    private static final Map<String, List<String>> FILES = Map.of(
        ITEM_PROPAGATION, List.of(MODEL_FILE, VECTORS_FILE), PADDED_BLOCKS, List.of(MODEL_FILE), VECTORS, List.of(VECTORS_FILE),
        ITEM_WEIGHTS, List.of(WEIGHTS_FILE), LISTS, List.of(LISTS_FILE), SEQUENCE, List.of(MODEL_FILE, VECTORS_FILE),
        PAIR, List.of(MODEL_FILE, VECTORS_FILE));
    public static final int FORMAT = 1;
    public static final int MAX_DIMENSION = 4096;
    public static final int MAX_HISTORY = 10_000;
    /** Manifest and model together. */
    public static final long MAX_CORE_BYTES = 64L << 20;
    public static final long MAX_PART_BYTES = 2L << 30;
    public static final long MAX_PIECE_BYTES = 16L << 20;

    /**
     * @param layers L, in [1, 10], or from 0 when finished
     * @param finished true when the vectors part holds e and c themselves instead of base vectors
     * @param exponent p of {@code degree^-p}, in [0, 1]
     * @param history how many of the newest interactions are read, in [1, {@value Manifest#MAX_HISTORY}]
     */
    public record Propagation(int layers, boolean finished, double exponent, int history) {}

    /**
     * How the database makes an answer of what is stored.
     *
     * @param history how many of the newest interactions are read, in [1, {@value Manifest#MAX_HISTORY}]
     * @param foldIn how a user without a vector is solved for, or null
     * @param constant the vector of every user without one, or null; with neither it is the mean of the history
     */
    public record Serving(int history, FoldIn foldIn, float[] constant) {}

    /** The least-squares user of iALS. @param items as many as there were at training */
    public record FoldIn(double unobserved, double regularization, double nu, long items) {}

    /** @param keys label to the name of its key property; @param relations what the model was trained on */
    public record Schema(Map<String, NodeSchema> nodes, List<Relation> relations) {}

    public record NodeSchema(String key, List<Object> properties) {}

    /** @param properties edge features; empty but in {@code padded-blocks/1} */
    public record Relation(String source, String type, String target, String direction, List<String> properties) {}

    /** @param tolerance passes where |found - expected| <= tolerance * max(1, |expected|); in (0, 0.1] */
    public record Golden(Map<String, TensorData> inputs, Map<String, TensorData> outputs, double tolerance) {}

    public record Part(String file, long bytes, String sha256, List<Piece> pieces) {}

    public record Piece(int index, long bytes, String sha256) {}

    /** What the model adds up to one score, {@code {rule, sources, walk}}; null where it is its vectors alone. */
    public Map<?, ?> blend() {
        return (Map<?, ?>) json.get("blend");
    }

    /** Whether nodes carry vectors of such a model. */
    public boolean hasVectors() {
        return dimension > 0;
    }

    /** Whether a network is part of it. */
    public boolean hasNetwork() {
        return golden != null;
    }

    /** Whether those who are recommended to and what is recommended carry one label. */
    public boolean isOneSided() {
        return task.get("to") != null && task.get("to").equals(task.get("recommend"));
    }

    public Part part(String file) {
        return parts.stream().filter(part -> part.file().equals(file)).findFirst()
            .orElseThrow(() -> new ModelRefused(FILE, "It declares no part '" + file + "'."));
    }

    /** One of the top keys as JSON text. */
    public String text(String key) {
        return new String(CanonicalJson.write(tree.get(key)), StandardCharsets.UTF_8);
    }

    /** @throws ModelRefused with every fault found */
    public static Manifest parse(byte[] bytes) {
        var tree = CanonicalJson.parse(FILE, bytes);
        if (!Arrays.equals(CanonicalJson.write(tree), bytes)) {
            throw new ModelRefused(FILE, "It is not canonical JSON (UTF-8, sorted keys, no blanks); export the model again.");
        }
        var sha256 = Hash.sha256(bytes);
        var faults = new ArrayList<String>();
        var root = new JsonFields("", CanonicalJson.plain(tree), faults);
        if (!faults.isEmpty()) {
            throw new ModelRefused(FILE, faults);
        }
        var format = root.integer("format", 0, Long.MAX_VALUE);
        if (format != FORMAT) {
            // Another format may name its keys otherwise: listing them as faults would only mislead.
            throw new ModelRefused(FILE, "`format` is " + format + "; this gnn4j reads format " + FORMAT
                + ". Use the gnn4j that exported the model, or export it again.");
        }
        var contract = root.choice("contract", CONTRACTS);
        root.text("model");
        root.text("createdAt");
        root.text("gnn4jVersion");
        List<String> files = contract == null ? List.of() : FILES.get(contract);
        var networked = contract == null || files.contains(MODEL_FILE);
        var compared = networked || files.contains(VECTORS_FILE);
        var dimension = compared ? (int) root.integer("dimension", 1, MAX_DIMENSION) : 0;
        var similarity = compared ? root.choice("similarity", List.of("dot", "cosine")) : null;
        List<TensorSpec> inputs = List.of();
        List<TensorSpec> outputs = List.of();
        if (networked) {
            var signature = root.map("signature");
            inputs = specs(signature.list("inputs"), faults, "signature.inputs");
            outputs = specs(signature.list("outputs"), faults, "signature.outputs");
            signature.end();
        }
        var isBlocks = PADDED_BLOCKS.equals(contract);
        var schema = schema(root.map("schema"), isBlocks);
        var schemaHash = root.text("schemaSha256");
        if (tree instanceof Map<?, ?> map && map.get("schema") != null
            && !Hash.sha256(CanonicalJson.write(map.get("schema"))).equals(schemaHash)) {
            faults.add("`schemaSha256` is not the hash of `schema`.");
        }
        var task = root.map("task");
        if (!isBlocks || !task.raw().isEmpty()) {
            checkTask(task, faults);
        }
        Propagation propagation = null;
        if (ITEM_PROPAGATION.equals(contract)) {
            propagation = propagation(root.map("propagation"));
            expect(faults, contract, "inputs", inputs, List.of(
                new TensorSpec("context", "float32", List.of(-1L, -1L, (long) dimension)),
                new TensorSpec("weight", "float32", List.of(-1L, -1L)),
                new TensorSpec("degree", "float32", List.of(-1L))));
            expect(faults, contract, "outputs", outputs, List.of(new TensorSpec("query", "float32", List.of(-1L, (long) dimension))));
        }
        if (SEQUENCE.equals(contract)) {
            expect(faults, contract, "inputs", inputs, List.of(
                new TensorSpec("history", "float32", List.of(-1L, -1L, (long) dimension)),
                new TensorSpec("mask", "float32", List.of(-1L, -1L)),
                new TensorSpec("gap", "float32", List.of(-1L, -1L))));
            expect(faults, contract, "outputs", outputs, List.of(new TensorSpec("query", "float32", List.of(-1L, (long) dimension))));
        }
        if (PAIR.equals(contract)) {
            expect(faults, contract, "inputs", inputs, List.of(
                new TensorSpec("source", "float32", List.of(-1L, (long) dimension)),
                new TensorSpec("candidate", "float32", List.of(-1L, -1L, (long) dimension)),
                new TensorSpec("context", "float32", List.of(-1L, (long) dimension))));
            expect(faults, contract, "outputs", outputs, List.of(new TensorSpec("score", "float32", List.of(-1L, -1L))));
        }
        BlockSchema blocks = null;
        if (isBlocks) {
            blocks = BlockSchema.read(root, schema, faults);
            if (blocks != null) {
                blocks.checkSignature(inputs, roles(root.raw().get("signature")), outputs, dimension, faults);
            }
        }
        if (ITEM_PROPAGATION.equals(contract) && root.raw().containsKey("blend")) {
            var blend = root.map("blend");
            blend.choice("rule", List.of("sum"));
            blend.map("sources");
            blend.map("walk");
            blend.end();
        }
        var serving = contract != null && List.of(VECTORS, ITEM_WEIGHTS, SEQUENCE, PAIR).contains(contract)
            ? serving(root.map("serving"), VECTORS.equals(contract), dimension, faults) : null;
        var training = root.map("training");
        training.map("graph");
        training.map("hyperparameters");
        root.list("metrics");
        var golden = networked ? golden(root.map("golden"), inputs, outputs, faults) : null;
        var parts = parts(root.list("parts"), faults);
        var found = parts.stream().map(Part::file).sorted().toList();
        if (contract != null && !found.equals(files)) {
            faults.add("`parts` of " + contract + " must be " + String.join(" and ", files)
                + (files.size() == 1 ? " alone" : "") + ", but are " + found + ".");
        }
        root.end();
        if (!faults.isEmpty()) {
            throw new ModelRefused(FILE, faults);
        }
        return new Manifest(sha256, contract, dimension, similarity, task.raw(), propagation, blocks, serving, schema, inputs, outputs,
            golden, parts, root.raw(), (Map<?, ?>) tree);
    }

    private static void checkTask(JsonFields task, List<String> faults) {
        task.text("recommend");
        task.text("to");
        if (task.map("via").raw().isEmpty()) {
            faults.add("`task.via` names no relationship type.");
        }
        task.map("key").raw().forEach((label, key) -> {
            if (!(key instanceof String)) {
                faults.add("`task.key." + label + "` must be a text, but is " + key + ".");
            }
        });
    }

    /** The roles of the inputs, beside what {@link #specs} reads. */
    private static List<String> roles(Object signature) {
        var roles = new ArrayList<String>();
        if (signature instanceof Map<?, ?> map && map.get("inputs") instanceof List<?> inputs) {
            inputs.forEach(input -> roles.add(String.valueOf(input instanceof Map<?, ?> one ? one.get("role") : null)));
        }
        return roles;
    }

    private static Propagation propagation(JsonFields map) {
        var finished = "final".equals(map.choice("vectors", List.of("base", "final")));
        var result = new Propagation(
            // With base vectors and no layer no user would have a vector.
            (int) map.integer("layers", finished ? 0 : 1, 10),
            finished,
            map.real("exponent", 0, 1),
            (int) map.integer("history", 1, MAX_HISTORY));
        map.end();
        return result;
    }

    private static Serving serving(JsonFields map, boolean vectors, int dimension, List<String> faults) {
        var history = (int) map.integer("history", 1, MAX_HISTORY);
        FoldIn foldIn = null;
        float[] constant = null;
        var cold = vectors ? map.choice("cold", List.of("mean", "fold-in", "constant")) : null;
        if ("constant".equals(cold)) {
            var numbers = map.list("vector");
            constant = new float[numbers.size()];
            var finite = true;
            for (int d = 0; d < constant.length; d++) {
                constant[d] = numbers.get(d) instanceof Number number ? number.floatValue() : Float.NaN;
                finite &= Float.isFinite(constant[d]);
            }
            if (constant.length != dimension || !finite) {
                faults.add("`" + map.path("vector") + "` must be " + dimension + " finite numbers.");
            }
        }
        if ("fold-in".equals(cold)) {
            foldIn = new FoldIn(map.real("unobserved", 0, 1e9), map.real("regularization", 0, 1e9), map.real("nu", 0, 1),
                map.integer("items", 0, Integer.MAX_VALUE));
        }
        map.end();
        return new Serving(history, foldIn, constant);
    }

    private static Schema schema(JsonFields map, boolean withEdgeFeatures) {
        var nodes = new TreeMap<String, NodeSchema>();
        var given = map.map("nodes");
        for (var label : given.raw().keySet()) {
            var node = given.map(label);
            nodes.put(label, new NodeSchema(node.text("key"), List.copyOf(node.list("properties"))));
            node.end();
        }
        var relations = new ArrayList<Relation>();
        for (var relation : map.maps("relations")) {
            relations.add(new Relation(relation.text("source"), relation.text("type"), relation.text("target"),
                relation.choice("direction", List.of("out", "in")), withEdgeFeatures ? relation.texts("properties") : List.of()));
            relation.end();
        }
        map.end();
        return new Schema(nodes, List.copyOf(relations));
    }

    private static List<TensorSpec> specs(List<?> list, List<String> faults, String path) {
        var specs = new ArrayList<TensorSpec>();
        for (int i = 0; i < list.size(); i++) {
            var map = new JsonFields(path + "[" + i + "].", list.get(i), faults);
            var name = map.text("name");
            var dtype = map.choice("dtype", List.of("float32", "int64", "bool"));
            map.text("role");
            var shape = new ArrayList<Long>();
            for (var size : map.list("shape")) {
                if (size == null) {
                    shape.add(-1L);
                } else if (size instanceof Long number && number >= 0) {
                    shape.add(number);
                } else {
                    faults.add("`" + path + "[" + i + "].shape` must hold whole numbers from 0 or null, but holds " + size + ".");
                }
            }
            map.end();
            specs.add(new TensorSpec(String.valueOf(name), String.valueOf(dtype), shape));
        }
        return List.copyOf(specs);
    }

    private static void expect(List<String> faults, String contract, String what, List<TensorSpec> found, List<TensorSpec> wanted) {
        if (!found.equals(wanted)) {
            faults.add("`signature." + what + "` of " + contract + " must be " + wanted + ", but is " + found + ".");
        }
    }

    private static Golden golden(JsonFields map, List<TensorSpec> inputs, List<TensorSpec> outputs, List<String> faults) {
        var golden = new Golden(tensors(map.map("inputs"), inputs, faults), tensors(map.map("outputs"), outputs, faults),
            map.real("tolerance", Double.MIN_VALUE, 0.1));
        map.end();
        return golden;
    }

    private static Map<String, TensorData> tensors(JsonFields map, List<TensorSpec> specs, List<String> faults) {
        var tensors = new TreeMap<String, TensorData>();
        for (var spec : specs) {
            var given = map.map(spec.name());
            var dtype = given.choice("dtype", List.of(spec.dtype()));
            var shape = given.list("shape").stream().mapToLong(size -> size instanceof Long number ? number : -1).toArray();
            var data = given.list("data");
            given.end();
            if (!fits(shape, spec.shape())) {
                faults.add("`" + map.path(spec.name()) + ".shape` " + Arrays.toString(shape) + " does not fit " + spec + ".");
            } else if (!holds(shape, data.size())) {
                faults.add("`" + map.path(spec.name()) + "` has shape " + Arrays.toString(shape) + " but " + data.size() + " values.");
            } else if (dtype != null) {
                try {
                    tensors.put(spec.name(), tensor(dtype, shape, data));
                } catch (ClassCastException | NullPointerException wrong) {
                    faults.add("`" + map.path(spec.name()) + ".data` holds values that are not " + dtype + ".");
                }
            }
        }
        map.end();
        return tensors;
    }

    private static boolean fits(long[] shape, List<Long> spec) {
        if (shape.length != spec.size()) {
            return false;
        }
        for (int i = 0; i < shape.length; i++) {
            if (shape[i] < 0 || (spec.get(i) >= 0 && spec.get(i) != shape[i])) {
                return false;
            }
        }
        return true;
    }

    private static boolean holds(long[] shape, long values) {
        var product = 1L;
        for (var size : shape) {
            if (size != 0 && product > Long.MAX_VALUE / size) {
                return false;
            }
            product *= size;
        }
        return product == values;
    }

    private static TensorData tensor(String dtype, long[] shape, List<?> data) {
        switch (dtype) {
            case "float32" -> {
                var floats = new float[data.size()];
                for (int i = 0; i < floats.length; i++) {
                    floats[i] = ((Number) data.get(i)).floatValue();
                }
                return new TensorData(dtype, shape, floats, null, null);
            }
            case "int64" -> {
                return new TensorData(dtype, shape, null, data.stream().mapToLong(Long.class::cast).toArray(), null);
            }
            default -> {
                var booleans = new boolean[data.size()];
                for (int i = 0; i < booleans.length; i++) {
                    booleans[i] = (Boolean) data.get(i);
                }
                return new TensorData(dtype, shape, null, null, booleans);
            }
        }
    }

    private static List<Part> parts(List<?> list, List<String> faults) {
        var parts = new ArrayList<Part>();
        for (int i = 0; i < list.size(); i++) {
            var map = new JsonFields("parts[" + i + "].", list.get(i), faults);
            var file = String.valueOf(map.text("file"));
            var limit = MODEL_FILE.equals(file) ? MAX_CORE_BYTES : MAX_PART_BYTES;
            var bytes = map.integer("bytes", 1, limit);
            var sha256 = map.hash("sha256");
            var pieces = new ArrayList<Piece>();
            for (var piece : map.maps("pieces")) {
                pieces.add(new Piece((int) piece.integer("index", 0, Integer.MAX_VALUE), piece.integer("bytes", 1, MAX_PIECE_BYTES),
                    piece.hash("sha256")));
                piece.end();
            }
            map.end();
            for (int p = 0; p < pieces.size(); p++) {
                if (pieces.get(p).index() != p) {
                    faults.add("The pieces of '" + file + "' must be numbered 0, 1, …, but number " + p + " has index "
                        + pieces.get(p).index() + ".");
                    break;
                }
            }
            if (pieces.stream().mapToLong(Piece::bytes).sum() != bytes) {
                faults.add("The pieces of '" + file + "' do not add up to its " + bytes + " bytes.");
            }
            parts.add(new Part(file, bytes, sha256, List.copyOf(pieces)));
        }
        if (parts.stream().map(Part::file).distinct().count() != parts.size()) {
            faults.add("`parts` names a file twice.");
        }
        return List.copyOf(parts);
    }
}
