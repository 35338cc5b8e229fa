// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The server's secret: seals and tokens. */
class JobKeyTest {
    private static final JobKey KEY = JobKey.temporary();

    @Property(tries = 300)
    void aSealHoldsForItsOwnTextsOnly(
            @ForAll @Size(max = 4) List<@StringLength(max = 3) String> texts,
            @ForAll @Size(max = 4) List<@StringLength(max = 3) String> others) {
        var seal = KEY.seal(texts);
        assertThat(KEY.holds(seal, others)).isEqualTo(texts.equals(others));
        assertThat(JobKey.temporary().holds(seal, texts)).isFalse();
    }

    @Test
    void nullIsNotTheEmptyTextAndTextsDoNotRunTogether() {
        var seal = KEY.seal(Arrays.asList("a", null));
        assertThat(KEY.holds(seal, List.of("a", ""))).isFalse();
        assertThat(KEY.holds(KEY.seal(List.of("ab", "c")), List.of("a", "bc"))).isFalse();
        assertThat(KEY.holds(null, List.of("a"))).isFalse();
    }

    @Test
    void theKeyOfAFileIsTheSameNextTimeAndMakesTheHashTheStandardSays(@TempDir Path folder) throws Exception {
        var file = folder.resolve("gnn").resolve("jobs.key");
        var seal = JobKey.of(file).seal(Arrays.asList("über", null));
        assertThat(JobKey.of(file).seal(Arrays.asList("über", null))).isEqualTo(seal);

        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Files.readAllBytes(file), "HmacSHA256"));
        assertThat(HexFormat.of().formatHex(mac.doFinal("5:über-:".getBytes(StandardCharsets.UTF_8)))).isEqualTo(seal);
        try (var files = Files.list(file.getParent())) {
            assertThat(files).containsExactly(file);
        }
    }

    @Test
    void aFileThatIsNoKeyIsRefused(@TempDir Path folder) throws IOException {
        var file = Files.write(folder.resolve("jobs.key"), new byte[] {1, 2, 3});
        assertThatThrownBy(() -> JobKey.of(file)).isInstanceOf(IOException.class).hasMessageContaining("has 3 bytes, where a key has 32");
    }

    @Test
    void aTokenFitsItsJobAndAttemptOnly() {
        var token = KEY.token(2);
        assertThat(token).matches("2-[0-9a-f]{32}");
        var hash = KEY.tokenHash("job", 2, token);
        assertThat(KEY.isToken(hash, "job", 2, token)).isTrue();
        assertThat(KEY.isToken(hash, "job", 3, token)).isFalse();
        assertThat(KEY.isToken(hash, "other", 2, token)).isFalse();
        assertThat(KEY.isToken(hash, "job", 2, KEY.token(2))).isFalse();
        assertThat(JobKey.temporary().isToken(hash, "job", 2, token)).isFalse();
    }
}
