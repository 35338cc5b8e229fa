// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.embed;

import io.gnn4j.sample.PaddedBlocks;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import org.eclipse.collections.api.set.primitive.LongSet;

/**
 * Vectors of one node by a {@code padded-blocks/1} model as if it had never touched an item. Neighbours are drawn as they would
 * be had the item's relationships been deleted, also where others take its place; where the same is drawn for several items the
 * model runs once. For one thread.
 */
public final class LeavingOut {
    private final BlockEmbedder embedder;
    private final String label;
    private final long[] node;
    private final LongConsumer hide;
    private final PaddedBlocks whole;
    private final List<Known> known = new ArrayList<>();

    private record Known(PaddedBlocks blocks, float[] vector) {}

    /**
     * @param embedder on a source that hides nothing yet
     * @param label of the node
     * @param hide takes the item that the source is to hide from the node from now on
     */
    public LeavingOut(BlockEmbedder embedder, String label, long node, LongConsumer hide) {
        this.embedder = embedder;
        this.label = label;
        this.node = new long[] {node};
        this.hide = hide;
        whole = embedder.draw(label, this.node);
    }

    /** The nodes that are drawn for the node itself when nothing is left out. */
    public LongSet drawn() {
        return whole.reached(1);
    }

    /** @return [D] */
    public float[] vector(long item) {
        hide.accept(item);
        var blocks = embedder.draw(label, node);
        for (var one : known) {
            if (one.blocks.isSameAs(blocks)) {
                return one.vector;
            }
        }
        var vector = embedder.encode(blocks);
        known.add(new Known(blocks, vector));
        return vector;
    }
}
