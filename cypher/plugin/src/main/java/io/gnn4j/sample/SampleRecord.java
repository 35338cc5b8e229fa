// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

import io.gnn4j.arrow.ArrowField;
import io.gnn4j.arrow.ArrowStreamWriter;
import io.gnn4j.arrow.Element;
import io.gnn4j.artefact.CanonicalJson;
import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Writes one sample as Arrow bytes, columns as docs/formats.md has them. */
final class SampleRecord {
    private static final int FORMAT = 1;

    private final List<ArrowField> fields = new ArrayList<>();
    private final List<Object> arrays = new ArrayList<>();

    private SampleRecord() {}

    static byte[] of(PaddedBlocks blocks, NodeFeatures features, String graphName, long truncated) {
        var record = new SampleRecord();
        var plan = blocks.plan();
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            record.nodes(n, blocks.nodeIds(n), blocks.indices(n), features);
        }
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            for (int h = 0; h <= blocks.hops(); h++) {
                record.add("hop_n" + n + "_" + h, blocks.hop(n, h));
            }
        }
        for (int r = 0; r < plan.relations().size(); r++) {
            for (int h = 1; h <= blocks.hops(); h++) {
                record.add("nbr_r" + r + "_" + h, blocks.neighbours(r, h));
                record.add("deg_r" + r + "_" + h, blocks.degrees(r, h));
                for (int e = 0; e < plan.edgeProperties().size(); e++) {
                    record.add("ef" + e + "_r" + r + "_" + h, blocks.edge(r, h, e));
                }
            }
        }
        record.add("seed", blocks.seeds());
        return record.write(plan, "blocks", blocks.seedType(), features, graphName, truncated);
    }

    static byte[] of(CooSample sample, NodeFeatures features, String graphName, long truncated) {
        var record = new SampleRecord();
        var plan = sample.plan;
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            record.nodes(n, sample.nodeIds[n], sample.indexed ? sample.numbers[n] : null, features);
            record.add("count_n" + n, sample.nodesPerHop[n]);
            record.add("batch_n" + n, sample.groups == null ? null : sample.groups[n]);
        }
        for (int r = 0; r < plan.relations().size(); r++) {
            record.add("row_r" + r, sample.rows[r]);
            record.add("col_r" + r, sample.cols[r]);
            record.add("count_r" + r, sample.relationshipsPerHop[r]);
            for (int e = 0; e < plan.edgeProperties().size(); e++) {
                record.add("ef" + e + "_r" + r, sample.edges[r][e]);
            }
        }
        record.add("seed", sample.seeds);
        return record.write(plan, "coo", sample.seedType, features, graphName, truncated);
    }

    private void nodes(int n, long[] ids, int[] indices, NodeFeatures features) {
        add("id_n" + n, ids);
        add("index_n" + n, indices);
        var columns = features.columns().get(n);
        for (int p = 0; p < columns.size(); p++) {
            var gathered = NodeFeatures.gather(columns.get(p), indices);
            add("p" + p + "_n" + n, gathered.values());
            add("length" + p + "_n" + n, gathered.lengths());
        }
    }

    /** A null array is a column that is not there. */
    private void add(String name, Object array) {
        if (array != null) {
            var element = switch (array) {
                case int[] ints -> Element.INT32;
                case long[] longs -> Element.INT64;
                case float[] floats -> Element.FLOAT32;
                default -> Element.FLOAT64;
            };
            fields.add(new ArrowField(name, element, ArrowField.VARIABLE, false));
            arrays.add(array);
        }
    }

    private byte[] write(
            SamplePlan plan, String layout, int seedType, NodeFeatures features, String graphName, long truncated) {
        var lengths = arrays.stream().mapToInt(Array::getLength).toArray();
        var writer = new ArrowStreamWriter(fields, Map.of("gnn", metadata(plan, layout, seedType, features, graphName, truncated)));
        var batch = writer.batch(1, lengths);
        for (int c = 0; c < lengths.length; c++) {
            switch (arrays.get(c)) {
                case int[] ints -> batch.setInts(c, 0, ints, 0, lengths[c]);
                case long[] longs -> batch.setLongs(c, 0, longs, 0, lengths[c]);
                case float[] floats -> batch.setFloats(c, 0, floats, 0, lengths[c]);
                default -> batch.setDoubles(c, 0, (double[]) arrays.get(c), 0, lengths[c]);
            }
            batch.setEnd(c, 0, lengths[c]);
        }
        return batch.finish();
    }

    private static String metadata(
            SamplePlan plan, String layout, int seedType, NodeFeatures features, String graphName, long truncated) {
        var nodes = new ArrayList<Map<String, Object>>();
        for (int n = 0; n < plan.nodeTypes().size(); n++) {
            nodes.add(Map.of("name", plan.nodeTypes().get(n), "properties", features.columns().get(n).stream()
                .map(column -> Map.of("name", column.spec().name(), "type", column.spec().type().toString())).toList()));
        }
        var relations = plan.relations().stream().map(relation -> Map.of(
            "sender", relation.sender(), "type", relation.type(), "receiver", relation.receiver(), "direction", relation.direction(),
            "fanOut", relation.fanOut())).toList();
        var tree = new HashMap<String, Object>(Map.of(
            "format", FORMAT, "layout", layout, "hops", plan.hops(), "seedType", "n" + seedType, "truncated", truncated,
            "nodes", nodes, "relations", relations, "relationshipProperties", plan.edgeProperties()));
        tree.put("graphName", graphName);
        return new String(CanonicalJson.write(tree), StandardCharsets.UTF_8);
    }
}
