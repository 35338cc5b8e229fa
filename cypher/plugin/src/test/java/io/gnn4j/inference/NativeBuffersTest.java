// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class NativeBuffersTest {
    @Test
    void whatIsGivenBackIsUsedAgainForAnythingOfThatSize() {
        var buffers = new NativeBuffers(1 << 20);
        var first = buffers.take(5000);
        assertThat(first.remaining()).isEqualTo(5000);
        var second = buffers.take(5000);
        assertThat(second).isNotSameAs(first);
        first.position(17);
        buffers.giveBack(first);
        var again = buffers.take(8192);
        assertThat(again).isSameAs(first);
        assertThat(again.position()).isZero();
        assertThat(again.remaining()).isEqualTo(8192);
    }

    @Test
    void noMoreIsKeptThanWasSaid() {
        var buffers = new NativeBuffers(8192);
        var one = buffers.take(4096);
        var other = buffers.take(8000);
        buffers.giveBack(one);
        buffers.giveBack(other); // both together are too much: the second goes
        assertThat(buffers.take(8000)).isNotSameAs(other);
        assertThat(buffers.take(0)).isSameAs(one);
    }

    @Test
    void aTensorBeyondAllBoundsIsRefused() {
        assertThatThrownBy(() -> new NativeBuffers(0).take((1L << 30) + 1)).hasMessageContaining("more than one run takes");
    }
}
