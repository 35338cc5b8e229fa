// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a manifest of {@code padded-blocks/1} may say, from the one worked by hand. */
class BlockSchemaTest {
    private static final String MANIFEST = new String(Golden.bytes("padded_blocks/manifest.json"), StandardCharsets.UTF_8);

    private static Manifest edited(String from, String to) {
        assertThat(MANIFEST).contains(from);
        // The hash of the schema is another story.
        var changed = MANIFEST.replace(from, to).getBytes(StandardCharsets.UTF_8);
        return Manifest.parse(CanonicalJson.write(CanonicalJson.parse("test", changed)));
    }

    @Test
    void theTensorsAreThoseOfTheGoldenBatchesInTheirOrder() throws IOException {
        var manifest = Manifest.parse(MANIFEST.getBytes(StandardCharsets.UTF_8));
        var batches = new ObjectMapper().readTree(Golden.bytes("padded_blocks/batches.json")).get("batches");
        for (var batch : batches) {
            var names = new ArrayList<String>();
            batch.get("tensors").fieldNames().forEachRemaining(names::add);
            assertThat(manifest.blocks().tensors().keySet()).containsExactlyElementsOf(names);
        }
        assertThat(manifest.blocks().types().get(0).codes()).isEqualTo(3);
        assertThat(manifest.blocks().types().get(1).width()).isEqualTo(4);
        assertThat(manifest.blocks().relations().get(2).properties()).containsExactly("weight");
        assertThat(manifest.blocks().relations().get(1).incoming()).isTrue();
    }

    @Test
    void aTypeThatNoFanOutReachesHasNoTensors() {
        var relation = new BlockSchema.Relation("User", "BUY", "Item", false, List.of(), List.of(3, 0));
        var types = List.of(new BlockSchema.NodeType("Item", "id", List.of()), new BlockSchema.NodeType("User", "id", List.of()));
        var sampling = new BlockSchema.Sampling(false, 0, null, null, 0);
        assertThat(new BlockSchema(types, List.of(relation), List.of("Item"), 2, sampling).tensors().keySet())
            .containsExactly("hop_n0_0", "hop_n1_1", "nbr_r0_1", "deg_r0_1", "seed");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "\"layers\":3                             | \"layers\":9         | `blocks.layers` must be a whole number in [1, 8], but is 9.",
        "\"types\":[\"Item\",\"User\"]            | \"types\":[\"Item\"] | `blocks.types` must list the labels of `schema.nodes`",
        "\"seeds\":[\"Item\",\"User\"]            | \"seeds\":[]         | `blocks.seeds` must list at least one label",
        "[3,2,2]                                  | [3,2,1001]           | `blocks.fanouts` must have 4 lists",
        "\"strategy\":\"uniform\"                 | \"strategy\":\"weighted\" | 'weighted' needs `weightProperty`",
        "\"last\":null                            | \"last\":5           | `blocks.sampling.last` needs `timeProperty`",
        "\"replace\":false                        | \"replace\":1        | `blocks.sampling.replace` must be true or false, but is 1.",
        "[\"book\",\"film\"]                      | [\"film\",\"book\"]  | must be in ascending order of UTF-8 bytes",
        "\"vocabulary\":[\"book\",\"film\"]       | \"width\":2          | there must be either `vocabulary` or `buckets`",
        "\"encoder\":\"bool\"                     | \"encoder\":\"boole\" | Did you mean `bool`?",
        "\"properties\":[\"weight\"]              | \"properties\":[\"weight\",\"weight\"] | must be different names",
        "\"name\":\"nbr_r0_1\" | \"name\":\"nbr_r0_4\" | `signature.inputs` has 'nbr_r0_4'; the tensors of this manifest are",
        "\"role\":\"degrees\"                     | \"role\":\"degree\"  | with the role 'degree' must be",
        "\"file\":\"model.onnx\"                  | \"file\":\"more.onnx\" | must be model.onnx alone",
        "\"similarity\":\"dot\"                   | \"similarity\":\"l2\" | `similarity` is 'l2'",
    })
    void aManifestThatSaysSomethingElseIsRefused(String from, String to, String message) {
        assertThatThrownBy(() -> edited(from, to)).isInstanceOf(ModelRefused.class).hasMessageContaining(message);
    }
}
