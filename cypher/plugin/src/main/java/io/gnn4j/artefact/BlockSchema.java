// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/**
 * All that fixes the tensors of a {@code padded-blocks/1} model; docs/formats.md section 7 is the contract. Node types and
 * relations have numbers, their places in {@link #types} and {@link #relations}, from which tensor names are built.
 *
 * @param seeds labels whose nodes are embedded, in the order in which the tensor {@code seed} counts them
 * @param layers L, in [1, {@value #MAX_LAYERS}]
 */
public record BlockSchema(List<NodeType> types, List<Relation> relations, List<String> seeds, int layers, Sampling sampling) {
    public static final String OUTPUT = "embedding";
    public static final String SEED = "seed";
    private static final int MAX_LAYERS = 8;
    private static final int MAX_FANOUT = 1_000;
    private static final int MAX_LAST = 10_000;
    private static final int MAX_WIDTH = 4096;
    private static final int MAX_LENGTH = 256;
    private static final int MAX_BUCKETS = 1 << 20;
    private static final int MAX_ENTRIES = 1_000_000;
    /** A batch is described by one tensor or more for each of these: a bound on what a manifest can make us do. */
    private static final int MAX_RELATIONS = 1_000;

    /**
     * One property and how it becomes columns.
     *
     * @param vocabulary text to code; null where there are buckets or no codes
     * @param buckets 0 where there are none
     * @param columns of the tensor, at least 1
     */
    public record Feature(String property, Encoder encoder, Map<String, Integer> vocabulary, int buckets, int columns) {
        /** Entries in their order have the codes from 2 on: 0 is missing, 1 is unknown. */
        public static Map<String, Integer> numbered(List<String> entries) {
            var codes = HashMap.<String, Integer>newHashMap(entries.size());
            for (var entry : entries) {
                codes.put(entry, 2 + codes.size());
            }
            return codes;
        }

        /** What GDS can project of it. */
        public String projected() {
            return encoder == Encoder.NUMBER || encoder == Encoder.VECTOR ? property : "gnn_code_" + property;
        }

        /** Codes are in [0, codes()); 0 where there are none. */
        public int codes() {
            return !encoder.isCoded() ? 0 : 2 + (vocabulary == null ? buckets : vocabulary.size());
        }
    }

    /** How values become numbers. */
    public enum Encoder {
        NUMBER, BOOL, CATEGORY, LIST, VECTOR;

        static final List<String> NAMES = List.of("number", "bool", "category", "list", "vector");

        /** Whether its columns stand in {@code code_<n>}, else in {@code x_<n>}. */
        public boolean isCoded() {
            return this == CATEGORY || this == LIST;
        }
    }

    /** @param key name of the key property */
    public record NodeType(String label, String key, List<Feature> features) {
        /** Columns of {@code x_<n>}; 0 means there is no such tensor. */
        public int width() {
            return features.stream().filter(feature -> !feature.encoder().isCoded()).mapToInt(Feature::columns).sum();
        }

        /** Columns of {@code code_<n>}; 0 means there is no such tensor. */
        public int codes() {
            return features.stream().filter(feature -> feature.encoder().isCoded()).mapToInt(Feature::columns).sum();
        }
    }

    /**
     * Messages from source to target.
     *
     * @param incoming whether the relationships are stored from target to source
     * @param properties edge features, in the order of their columns
     * @param fanOut K for hop 1, 2, …; 0 where it is not drawn
     */
    public record Relation(
        String source, String type, String target, boolean incoming, List<String> properties, List<Integer> fanOut) {}

    /** @param weightProperty null for uniform draws; @param last 0 for all */
    public record Sampling(boolean replace, long randomSeed, String weightProperty, String timeProperty, int last) {}

    /**
     * One input.
     *
     * @param number of the node type or relation; -1 for the seeds
     * @param hop 0 to L; -1 for features and seeds
     */
    public record Tensor(TensorSpec spec, String role, int number, int hop) {}

    /** Every label that can stand at each hop, 0 to L, as numbers in ascending order. */
    public List<TreeSet<Integer>> reached() {
        var levels = new ArrayList<TreeSet<Integer>>();
        levels.add(new TreeSet<>(seeds.stream().map(this::number).toList()));
        for (int hop = 1; hop <= layers; hop++) {
            var next = new TreeSet<Integer>();
            for (var relation : relations) {
                if (relation.fanOut().get(hop - 1) > 0 && levels.get(hop - 1).contains(number(relation.target()))) {
                    next.add(number(relation.source()));
                }
            }
            levels.add(next);
        }
        return levels;
    }

    /** The place of a label in {@link #types}. */
    public int number(String label) {
        for (int n = 0; n < types.size(); n++) {
            if (types.get(n).label().equals(label)) {
                return n;
            }
        }
        return -1;
    }

    /** Every tensor of the contract by name; a model may take fewer. */
    public Map<String, Tensor> tensors() {
        var found = new LinkedHashMap<String, Tensor>();
        var levels = reached();
        var all = new TreeSet<Integer>();
        levels.forEach(all::addAll);
        for (int n : all) {
            put(found, "x_n" + n, "float32", "features", n, -1, types.get(n).width() > 0, -1, types.get(n).width());
            put(found, "code_n" + n, "int64", "codes", n, -1, types.get(n).codes() > 0, -1, types.get(n).codes());
        }
        for (int hop = 0; hop <= layers; hop++) {
            for (int n : levels.get(hop)) {
                put(found, "hop_n" + n + "_" + hop, "int64", "hop", n, hop, true, -1);
            }
        }
        for (int hop = 1; hop <= layers; hop++) {
            for (int r = 0; r < relations.size(); r++) {
                var relation = relations.get(r);
                if (relation.fanOut().get(hop - 1) == 0 || !levels.get(hop - 1).contains(number(relation.target()))) {
                    continue;
                }
                var end = r + "_" + hop;
                var edges = relation.properties().size();
                put(found, "nbr_r" + end, "int64", "neighbours", r, hop, true, -1, -1);
                put(found, "ef_r" + end, "float32", "edgeFeatures", r, hop, edges > 0, -1, -1, edges);
                put(found, "deg_r" + end, "float32", "degrees", r, hop, true, -1);
            }
        }
        put(found, SEED, "int64", "seed", -1, -1, true, -1);
        return found;
    }

    private static void put(
            Map<String, Tensor> found, String name, String dtype, String role, int number, int hop, boolean exists, long... shape) {
        if (exists) {
            var sizes = java.util.Arrays.stream(shape).boxed().toList();
            found.put(name, new Tensor(new TensorSpec(name, dtype, sizes), role, number, hop));
        }
    }

    // ---------------------------------------------------------------- reading

    /** Null after a fault. */
    static BlockSchema read(JsonFields root, Manifest.Schema schema, List<String> faults) {
        var before = faults.size();
        var blocks = root.map("blocks");
        var layers = (int) blocks.integer("layers", 1, MAX_LAYERS);
        var labels = blocks.texts("types");
        if (labels.size() != schema.nodes().size() || !new HashSet<>(labels).equals(schema.nodes().keySet())) {
            faults.add("`blocks.types` must list the labels of `schema.nodes` once each, but is " + labels + ".");
        }
        var seeds = blocks.texts("seeds");
        if (seeds.isEmpty() || new HashSet<>(seeds).size() < seeds.size() || !schema.nodes().keySet().containsAll(seeds)) {
            faults.add("`blocks.seeds` must list at least one label of `schema.nodes`, none twice, but is " + seeds + ".");
        }
        var fanOuts = fanOuts(blocks.list("fanouts"), layers, schema.relations().size(), faults);
        var sampling = sampling(blocks.map("sampling"), faults);
        blocks.end();
        var nodes = new LinkedHashMap<String, NodeType>();
        schema.nodes().forEach((label, node) -> nodes.put(label, nodeType(label, node, faults)));
        var relations = relations(schema, fanOuts, faults);
        return faults.size() > before ? null
            : new BlockSchema(labels.stream().map(nodes::get).toList(), relations, seeds, layers, sampling);
    }

    private static List<List<Integer>> fanOuts(List<?> given, int layers, int relations, List<String> faults) {
        var rows = new ArrayList<List<Integer>>();
        for (var row : given) {
            if (row instanceof List<?> list && list.size() == layers
                && list.stream().allMatch(k -> k instanceof Long number && number >= 0 && number <= MAX_FANOUT)) {
                rows.add(list.stream().map(k -> ((Long) k).intValue()).toList());
            }
        }
        if (rows.size() != given.size() || rows.size() != relations) {
            faults.add("`blocks.fanouts` must have " + relations + " lists (one a relation) of " + layers + " whole numbers in [0, "
                + MAX_FANOUT + "], but is " + given + ".");
        }
        return rows;
    }

    private static Sampling sampling(JsonFields map, List<String> faults) {
        var strategy = map.choice("strategy", List.of("uniform", "weighted"));
        var replace = map.truth("replace");
        var randomSeed = map.integer("randomSeed", Long.MIN_VALUE, Long.MAX_VALUE);
        var weight = map.textOrNull("weightProperty");
        var time = map.textOrNull("timeProperty");
        var last = map.isNull("last") ? 0 : (int) map.integer("last", 1, MAX_LAST);
        map.end();
        if ("weighted".equals(strategy) && weight == null) {
            faults.add("`blocks.sampling.strategy` 'weighted' needs `weightProperty`.");
        }
        if (last > 0 && time == null) {
            faults.add("`blocks.sampling.last` needs `timeProperty`.");
        }
        return new Sampling(replace, randomSeed, "weighted".equals(strategy) ? weight : null, time, last);
    }

    private static NodeType nodeType(String label, Manifest.NodeSchema node, List<String> faults) {
        var features = new ArrayList<Feature>();
        var names = new HashSet<String>();
        for (int i = 0; i < node.properties().size(); i++) {
            var path = "schema.nodes." + label + ".properties[" + i + "].";
            var feature = feature(new JsonFields(path, node.properties().get(i), faults), path, faults);
            if (!names.add(feature.property())) {
                faults.add("`" + path.substring(0, path.length() - 1) + "`: the property '" + feature.property() + "' stands twice.");
            }
            features.add(feature);
        }
        return new NodeType(label, node.key(), List.copyOf(features));
    }

    private static Feature feature(JsonFields map, String path, List<String> faults) {
        var property = String.valueOf(map.text("property"));
        var name = map.choice("encoder", Encoder.NAMES);
        var encoder = name == null ? Encoder.NUMBER : Encoder.values()[Encoder.NAMES.indexOf(name)];
        Map<String, Integer> vocabulary = null;
        var buckets = 0;
        if (encoder.isCoded()) {
            if (map.has("vocabulary") == map.has("buckets")) {
                faults.add("`" + path + "vocabulary`: there must be either `vocabulary` or `buckets`.");
            }
            if (map.has("vocabulary")) {
                var entries = map.texts("vocabulary");
                checkVocabulary(entries, path, faults);
                vocabulary = Feature.numbered(entries);
            }
            if (map.has("buckets")) {
                buckets = (int) map.integer("buckets", 1, MAX_BUCKETS);
            }
        }
        var columns = switch (encoder) {
            case LIST -> (int) map.integer("length", 1, MAX_LENGTH);
            case VECTOR -> (int) map.integer("width", 1, MAX_WIDTH);
            default -> 1;
        };
        if (name != null) {
            map.end();
        }
        return new Feature(property, encoder, vocabulary, buckets, columns);
    }

    private static void checkVocabulary(List<String> vocabulary, String path, List<String> faults) {
        if (vocabulary.size() > MAX_ENTRIES) {
            faults.add("`" + path + "vocabulary` has " + vocabulary.size() + " entries, but at most " + MAX_ENTRIES
                + " are allowed; use `buckets`.");
        }
        for (int i = 0; i < vocabulary.size(); i++) {
            if (!Normalizer.isNormalized(vocabulary.get(i), Normalizer.Form.NFC)) {
                faults.add("`" + path + "vocabulary` holds '" + vocabulary.get(i) + "', which is not in Unicode form NFC.");
                return;
            }
            if (i > 0 && CanonicalJson.BY_CODE_POINT.compare(vocabulary.get(i - 1), vocabulary.get(i)) >= 0) {
                faults.add("`" + path + "vocabulary` must be in ascending order of UTF-8 bytes, no text twice.");
                return;
            }
        }
    }

    private static List<Relation> relations(Manifest.Schema schema, List<List<Integer>> fanOuts, List<String> faults) {
        var relations = new ArrayList<Relation>();
        var met = new HashSet<List<String>>();
        if (schema.relations().size() > MAX_RELATIONS) {
            faults.add("`schema.relations` has " + schema.relations().size() + " entries, but at most " + MAX_RELATIONS + " are allowed.");
        }
        for (int r = 0; r < schema.relations().size(); r++) {
            var given = schema.relations().get(r);
            var path = "`schema.relations[" + r + "]";
            for (var end : new LinkedHashSet<>(List.of(String.valueOf(given.source()), String.valueOf(given.target())))) {
                if (!schema.nodes().containsKey(end)) {
                    faults.add(path + "` ends at '" + end + "', which `schema.nodes` does not have.");
                }
            }
            if (!met.add(List.of(String.valueOf(given.source()), String.valueOf(given.type()), String.valueOf(given.target()),
                String.valueOf(given.direction())))) {
                faults.add(path + "` stands twice.");
            }
            if (new HashSet<>(given.properties()).size() < given.properties().size()) {
                faults.add(path + ".properties` must be different names, but is " + given.properties() + ".");
            }
            if (r < fanOuts.size()) {
                relations.add(new Relation(given.source(), given.type(), given.target(), "in".equals(given.direction()),
                    given.properties(), fanOuts.get(r)));
            }
        }
        return List.copyOf(relations);
    }

    /** The inputs may be any of {@link #tensors}, the seeds among them; there is one output. */
    void checkSignature(List<TensorSpec> inputs, List<String> roles, List<TensorSpec> outputs, int dimension, List<String> faults) {
        var tensors = tensors();
        for (int i = 0; i < inputs.size(); i++) {
            var tensor = tensors.get(inputs.get(i).name());
            if (tensor == null) {
                faults.add("`signature.inputs` has '" + inputs.get(i).name() + "'; the tensors of this manifest are "
                    + String.join(", ", tensors.keySet()) + ".");
            } else if (!tensor.spec().equals(inputs.get(i)) || !Objects.equals(tensor.role(), roles.get(i))) {
                faults.add("`signature.inputs`: " + inputs.get(i) + " with the role '" + roles.get(i) + "' must be " + tensor.spec()
                    + " with the role '" + tensor.role() + "'.");
            }
        }
        if (inputs.stream().map(TensorSpec::name).distinct().count() < inputs.size()) {
            faults.add("`signature.inputs` has a name twice.");
        }
        if (inputs.stream().noneMatch(input -> input.name().equals(SEED))) {
            faults.add("`signature.inputs` lacks '" + SEED + "', which says how many rows come out.");
        }
        var wanted = List.of(new TensorSpec(OUTPUT, "float32", List.of(-1L, (long) dimension)));
        if (!outputs.equals(wanted)) {
            faults.add("`signature.outputs` of " + Manifest.PADDED_BLOCKS + " must be " + wanted + ", but is " + outputs + ".");
        }
    }
}
