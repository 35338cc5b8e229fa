// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ManifestTest {
    private static final String GOOD = new String(Golden.bytes("item_propagation/manifest.json"), StandardCharsets.UTF_8);

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Manifest with(String from, String to) {
        assertThat(GOOD).contains(from);
        return Manifest.parse(CanonicalJson.write(CanonicalJson.parse("test", utf8(GOOD.replace(from, to)))));
    }

    @Test
    void readsWhatTheExporterWrote() {
        var manifest = Manifest.parse(utf8(GOOD));
        assertThat(manifest.contract()).isEqualTo("item-propagation/1");
        assertThat(manifest.dimension()).isEqualTo(2);
        assertThat(manifest.propagation()).isEqualTo(new Manifest.Propagation(2, false, 0.5, 500));
        assertThat(manifest.task()).containsEntry("recommend", "Item").containsEntry("to", "User");
        assertThat(manifest.schema().nodes()).containsOnlyKeys("Item", "User");
        assertThat(manifest.part("vectors.arrow").bytes()).isEqualTo(688);
        assertThat(manifest.sha256()).isEqualTo(Hash.sha256(utf8(GOOD)));
    }

    @Test
    void namesAllFaultsAtOnce() {
        assertThatThrownBy(() -> with("\"dimension\":2", "\"dimensions\":2,\"similarty\":\"dot\""))
            .isInstanceOfSatisfying(ModelRefused.class, refused -> assertThat(refused.faults()).contains(
                "`dimension` is missing (a whole number in [1, 4096]).",
                "Unknown key `dimensions`. Did you mean `dimension`? Known: format, contract, model, createdAt, gnn4jVersion,"
                    + " dimension, similarity, signature, schema, schemaSha256, task, propagation, training, metrics, golden, parts."));
    }

    @Test
    void refusesAnotherFormatBeforeItJudgesItsKeys() {
        assertThatThrownBy(() -> Manifest.parse(utf8("{\"format\":2,\"weights\":[]}"))).hasMessage(
            "The model is refused: manifest.json: `format` is 2; this gnn4j reads format 1."
                + " Use the gnn4j that exported the model, or export it again.");
    }

    @Test
    void refusesAnotherSpellingOfTheSameContent() {
        assertThatThrownBy(() -> Manifest.parse(utf8(GOOD.replace(",\"contract\"", ", \"contract\"").replace("{\"contract\"",
            "{ \"contract\""))))
            .hasMessageContaining("not canonical JSON");
        assertThatThrownBy(() -> Manifest.parse(utf8("{\"format\":1,\"format\":1}"))).hasMessageContaining("Duplicate field 'format'");
        assertThatThrownBy(() -> Manifest.parse(utf8(GOOD + "{}"))).hasMessageContaining("text after the JSON value");
        assertThatThrownBy(() -> Manifest.parse(utf8(GOOD.substring(0, 500)))).hasMessageContaining("It is not JSON");
        assertThatThrownBy(() -> Manifest.parse(new byte[0])).isInstanceOf(ModelRefused.class);
        assertThatThrownBy(() -> Manifest.parse(utf8("[1]"))).hasMessageContaining("The document must be an object");
    }

    @Test
    void refusesASchemaThatItsHashDoesNotName() {
        assertThatThrownBy(() -> with("\"key\":\"id\"", "\"key\":\"uuid\""))
            .hasMessageContaining("`schemaSha256` is not the hash of `schema`.");
    }

    @Test
    void refusesPiecesThatDoNotAddUpAndUnknownParts() {
        assertThatThrownBy(() -> with("\"bytes\":688,\"file\":\"vectors.arrow\"", "\"bytes\":689,\"file\":\"vectors.arrow\""))
            .hasMessageContaining("The pieces of 'vectors.arrow' do not add up to its 689 bytes.");
        assertThatThrownBy(() -> with("vectors.arrow", "../neo4j.conf")).hasMessageContaining(
            "`parts` of item-propagation/1 must be model.onnx and vectors.arrow, but are [../neo4j.conf, model.onnx].");
    }

    @Test
    void refusesAGoldenSampleThatDoesNotFitTheSignature() {
        assertThatThrownBy(() -> with("\"shape\":[3,4,2]", "\"shape\":[3,4,3]")).hasMessageContaining(
            "`golden.inputs.context.shape` [3, 4, 3] does not fit context float32(?, ?, 2).");
    }

    @Test
    void canonicalJsonSortsByCodePointAndKeepsTheTextOfNumbers() {
        // U+FF61 sorts before U+1F600 by code point, after it by UTF-16 unit.
        var tree = CanonicalJson.parse("test", utf8("{\"\uD83D\uDE00\": 1e-05, \"\uFF61\": [true, null, \"\\u000b\\/\\u00e9\"]}"));
        assertThat(new String(CanonicalJson.write(tree), StandardCharsets.UTF_8))
            .isEqualTo("{\"\uFF61\":[true,null,\"\\u000b/é\"],\"\uD83D\uDE00\":1e-05}");
        assertThat(CanonicalJson.plain(CanonicalJson.parse("test", utf8("{\"a\":1,\"b\":0.5}")))).isEqualTo(Map.of("a", 1L, "b", 0.5));
    }
}
