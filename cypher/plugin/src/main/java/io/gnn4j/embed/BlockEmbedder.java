// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.artefact.BlockSchema;
import io.gnn4j.artefact.TensorSpec;
import io.gnn4j.features.FeatureRows;
import io.gnn4j.inference.BlocksModel;
import io.gnn4j.sample.NeighbourSource;
import io.gnn4j.sample.PaddedBlocks;
import io.gnn4j.sample.SamplePlan;
import io.gnn4j.sample.SampledRelation;
import io.gnn4j.sample.Sampler;
import io.gnn4j.sample.Seeds;
import java.util.List;

/**
 * Vectors of nodes by a {@code padded-blocks/1} model: their surroundings are drawn, their features gathered, the model run.
 * A vector does not depend on the batch it is made in. For one thread.
 */
public final class BlockEmbedder {
    private final BlockSchema schema;
    private final Sampler sampler;
    private final BlockTensors tensors;
    private final BlocksModel model;

    /**
     * @param inputs of the model
     * @param source made for {@link #plan}
     */
    public BlockEmbedder(
            BlockSchema schema, List<TensorSpec> inputs, NeighbourSource source, FeatureRows features, BlocksModel model) {
        this.schema = schema;
        this.model = model;
        var plan = plan(schema);
        sampler = new Sampler(source, plan);
        tensors = new BlockTensors(schema, inputs, features, plan.edgeProperties());
    }

    /** How the schema wants neighbours drawn. */
    public static SamplePlan plan(BlockSchema schema) {
        var sampling = schema.sampling();
        return new SamplePlan(
            schema.types().stream().map(BlockSchema.NodeType::label).toList(),
            schema.relations().stream().map(relation -> new SampledRelation(
                relation.source(), relation.type(), relation.target(), relation.incoming(), relation.fanOut())).toList(),
            schema.layers(), sampling.randomSeed(), sampling.replace(), sampling.weightProperty(), sampling.timeProperty(),
            sampling.last(), schema.relations().stream().flatMap(relation -> relation.properties().stream()).distinct().toList());
    }

    /**
     * @param label one of the schema's seeds
     * @param nodeIds nodes that carry it, repeats allowed
     * @return [B, D] row-major
     * @throws IllegalArgumentException for a node that the source does not have under that label
     */
    public float[] embed(String label, long[] nodeIds) {
        if (nodeIds.length == 0) {
            return new float[0];
        }
        return encode(draw(label, nodeIds));
    }

    /** What the model is shown of nodes, as {@link #embed}. */
    PaddedBlocks draw(String label, long[] nodeIds) {
        return sampler.blocks(new Seeds(schema.number(label), nodeIds, null));
    }

    /** @return [B, D] row-major, for the seeds of the blocks */
    float[] encode(PaddedBlocks blocks) {
        return model.encode(blocks.seeds().length, tensors.of(blocks));
    }

    /** For another thread: what is at hand fails soon. */
    public void end() {
        model.end();
    }
}
