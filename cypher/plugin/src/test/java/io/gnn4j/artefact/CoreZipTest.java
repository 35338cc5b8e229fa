// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import static java.util.zip.ZipEntry.DEFLATED;
import static java.util.zip.ZipEntry.STORED;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.gnn4j.registry.Artefacts;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

class CoreZipTest {
    private static final byte[] SMALL = {1, 2, 3};

    @Test
    void readsBothFiles() {
        assertThat(CoreZip.read(Artefacts.core())).containsOnlyKeys("manifest.json", "model.onnx")
            .containsEntry("manifest.json", Artefacts.MANIFEST).containsEntry("model.onnx", Artefacts.MODEL);
    }

    @Test
    void refusesPathsBombsAndStrangersAllAtOnce() {
        var bomb = Artefacts.zip(DEFLATED, "manifest.json", new byte[1 << 20], "../../conf/neo4j.conf", SMALL);
        assertThatThrownBy(() -> CoreZip.read(bomb)).isInstanceOfSatisfying(ModelRefused.class, refused ->
            assertThat(refused.faults()).contains("The entry 'manifest.json' is compressed; an artefact is stored uncompressed.")
                .anyMatch(fault -> fault.startsWith("The entry '../../conf/neo4j.conf' does not belong here")));
    }

    @Test
    void saysHowArrowPartsTravel() {
        var whole = Artefacts.zip(STORED, "manifest.json", SMALL, "model.onnx", SMALL, "vectors.arrow", SMALL);
        assertThatThrownBy(() -> CoreZip.read(whole)).hasMessageContaining("Arrow parts go through gnn.model.addPart");
    }

    @Test
    void refusesWhatIsNoZipAndWhatIsCutOff() {
        assertThatThrownBy(() -> CoreZip.read(new byte[0])).hasMessageContaining("It is no zip file");
        assertThatThrownBy(() -> CoreZip.read("<html>404</html>, and more text".getBytes(StandardCharsets.UTF_8)))
            .hasMessageContaining("It is no zip file");
        var core = Artefacts.core();
        assertThatThrownBy(() -> CoreZip.read(Arrays.copyOf(core, core.length - 5))).isInstanceOf(ModelRefused.class);
    }

    @Test
    void refusesHeadersThatTellTwoStories() {
        var core = Artefacts.core();
        core[30] = 'M'; // the local name of manifest.json
        assertThatThrownBy(() -> CoreZip.read(core)).hasMessageContaining("is described differently in two places");
        var damaged = Artefacts.core();
        damaged[60] ^= 1; // inside the manifest
        assertThatThrownBy(() -> CoreZip.read(damaged)).hasMessageContaining("checksum differs");
    }

    @Test
    void refusesBytesBeforeTheFirstEntry() {
        var core = Artefacts.core();
        var shifted = new byte[core.length + 7];
        System.arraycopy(core, 0, shifted, 7, core.length);
        assertThatThrownBy(() -> CoreZip.read(shifted)).isInstanceOf(ModelRefused.class);
    }

    @Property(tries = 300, seed = "1")
    void noChangeOfOneByteGetsThroughUnseen(@ForAll int at, @ForAll byte value) {
        var core = Artefacts.core();
        var place = Math.floorMod(at, core.length);
        var before = core[place];
        core[place] = value;
        try {
            var files = CoreZip.read(core);
            // What is left are fields that say nothing about the files: times, versions, attributes.
            assertThat(files.get("manifest.json")).isEqualTo(Artefacts.MANIFEST);
            assertThat(files.get("model.onnx")).isEqualTo(Artefacts.MODEL);
        } catch (ModelRefused refused) {
            assertThat(value).isNotEqualTo(before);
        }
    }
}
