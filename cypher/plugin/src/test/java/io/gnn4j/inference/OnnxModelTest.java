// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.artefact.Golden;
import io.gnn4j.artefact.Hash;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class OnnxModelTest {
    private static final byte[] MANIFEST = Golden.bytes("item_propagation/manifest.json");
    private static final byte[] MODEL = Golden.bytes("item_propagation/model.onnx");

    private static UserEncoder open() {
        return new OnnxUserEncoder(OnnxModel.open(Manifest.parse(MANIFEST), MODEL, 1), 2);
    }

    /** q(1) = 2^-1/2 (c(101) + 1/2 c(102)) = (2/3, 2 sqrt(2)/3), tests/golden/item_propagation/README.md. */
    @Test
    void aUserIsTheScaledSumOfTheContextRowsWorkedByHand() {
        var query = open().encode(new float[] {0.942809042f, 0, 0, 2.666666667f}, new float[] {1, 0.5f}, 2);
        assertThat(query[0]).isCloseTo(0.666666667f, offset(1e-6f));
        assertThat(query[1]).isCloseTo(0.942809042f, offset(1e-6f));
    }

    @Test
    void paddingAndOtherUsersOfTheBatchDoNotChangeAUser() {
        var batch = open().encode(2, 3, new float[] {0.942809042f, 0, 0, 2.666666667f, 0, 0, 9, 9, 0, 0, 0, 0},
            new float[] {1, 0.5f, 0, 1, 0, 0}, new float[] {2, 5});
        assertThat(batch[0]).isCloseTo(0.666666667f, offset(1e-6f));
        assertThat(batch[1]).isCloseTo(0.942809042f, offset(1e-6f));
    }

    @Test
    void aUserWithoutHistoryIsTheZeroVector() {
        assertThat(open().encode(new float[0], new float[0], 0)).containsExactly(0, 0);
        assertThat(open().encode(1, 1, new float[2], new float[1], new float[1])).containsExactly(0, 0);
    }

    @Test
    void lengthsThatDoNotFitAreRefused() {
        assertThatThrownBy(() -> open().encode(1, 2, new float[3], new float[2], new float[1]))
            .hasMessage("Expected 1 degrees, 2 weights and 2 context rows of 2, but got 1, 2 and 3 values.");
        assertThatThrownBy(() -> open().encode(100_000, 100_000, new float[0], new float[0], new float[0]))
            .hasMessageContaining("do not fit one call of at most 8388608 rows");
    }

    @Test
    void aVectorThatIsNotFiniteIsNoAnswer() {
        assertThatThrownBy(() -> open().encode(new float[] {Float.MAX_VALUE, 0}, new float[] {100}, 1))
            .isInstanceOf(IllegalStateException.class).hasMessageContaining("value Infinity");
    }

    @Test
    void changedBytesAreRefused() {
        var changed = MODEL.clone();
        changed[changed.length - 1] ^= 1;
        assertThatThrownBy(() -> OnnxModel.open(Manifest.parse(MANIFEST), changed, 1)).isInstanceOf(ModelRefused.class)
            .hasMessageContaining("sha256 differs");
    }

    @Test
    void anotherOutputThanTheExportersIsRefused() {
        var manifest = Manifest.parse(edited("0.25690212845802307", "0.26"));
        assertThatThrownBy(() -> OnnxModel.open(manifest, MODEL, 1)).isInstanceOf(ModelRefused.class)
            .hasMessageContaining("golden sample: Output 'query' differs by 0.003");
    }

    @Test
    void anotherModelUnderTheSameSignatureIsRefusedByIts() {
        var other = Golden.bytes("item_propagation/vectors.arrow");
        var manifest = Manifest.parse(edited("dc19d9d7159e08a4ff08ca61ca5df953fd55b526635799151e0559da1a5c1637", Hash.sha256(other),
            "\"bytes\":1073", "\"bytes\":688"));
        assertThatThrownBy(() -> OnnxModel.open(manifest, other, 1)).isInstanceOf(ModelRefused.class);
    }

    /** The manifest with some texts replaced, and canonical again. */
    private static byte[] edited(String... replacements) {
        var text = new String(MANIFEST, StandardCharsets.UTF_8);
        for (int i = 0; i < replacements.length; i += 2) {
            assertThat(text).contains(replacements[i]);
            text = text.replace(replacements[i], replacements[i + 1]);
        }
        return CanonicalJson.write(CanonicalJson.parse("test", text.getBytes(StandardCharsets.UTF_8)));
    }
}
