// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.recommend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.gnn4j.recommend.Candidates.Candidate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ArrangementTest {
    private static List<Candidate> pool(double... scores) {
        var pool = new ArrayList<Candidate>();
        for (int i = 0; i < scores.length; i++) {
            pool.add(new Candidate(i, scores[i], Map.of(), "exact"));
        }
        return pool;
    }

    @Test
    void noiseDrawsFromTheSoftmaxOfRelevance() {
        // Relevances 1, 0.5 and 0 at temperature 0.5: e^2, e^1 and e^0 of 11.107.
        var first = new int[3];
        for (int seed = 0; seed < 30_000; seed++) {
            var rows = new Arrangement(0, 0.5, seed, 3).arrange(pool(4, 3, 2), 7L, 1, id -> null, id -> true);
            first[(int) rows.get(0).id()]++;
        }
        assertThat(first[0] / 30_000.0).isCloseTo(0.6652, within(0.012));
        assertThat(first[1] / 30_000.0).isCloseTo(0.2447, within(0.012));
    }

    @Test
    void scoresNeverRiseAndARefusedItemIsLeftOut() {
        var random = new Random(2);
        var scores = random.doubles(40).sorted().toArray();
        var vectors = new float[40][];
        for (int i = 0; i < 40; i++) {
            vectors[i] = i % 7 == 0 ? null : new float[] {random.nextFloat() - 0.5f, random.nextFloat() - 0.5f};
        }
        var rows = new Arrangement(0.6, 0.2, 3, 40).arrange(pool(scores), null, 30, id -> vectors[(int) id], id -> id % 5 != 0);
        assertThat(rows).hasSize(30).noneMatch(row -> row.id() % 5 == 0);
        for (int i = 1; i < rows.size(); i++) {
            assertThat(rows.get(i).score()).isLessThanOrEqualTo(rows.get(i - 1).score());
            var parts = rows.get(i).scores();
            assertThat((double) parts.get("relevance") + (double) parts.get("exploration") + (double) parts.get("diversity"))
                .isCloseTo(rows.get(i).score(), within(1e-12));
        }
    }
}
