// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.features;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * XXH64 with seed 0: a hash that any language has, for texts beyond a vocabulary.
 *
 * <p>Source: Yann Collet, the xxHash specification 0.1.1, section XXH64.
 */
final class XxHash64 {
    private static final long P1 = 0x9E3779B185EBCA87L;
    private static final long P2 = 0xC2B2AE3D27D4EB4FL;
    private static final long P3 = 0x165667B19E3779F9L;
    private static final long P4 = 0x85EBCA77C2B2AE63L;
    private static final long P5 = 0x27D4EB2F165667C5L;
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    private XxHash64() {}

    /** @return 64 bits, to be read as unsigned */
    static long hash(byte[] data) {
        var at = 0;
        long sum;
        if (data.length >= 32) {
            var a = P1 + P2;
            var b = P2;
            var c = 0L;
            var d = -P1;
            for (; at + 32 <= data.length; at += 32) {
                a = round(a, (long) LONG.get(data, at));
                b = round(b, (long) LONG.get(data, at + 8));
                c = round(c, (long) LONG.get(data, at + 16));
                d = round(d, (long) LONG.get(data, at + 24));
            }
            sum = Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
            sum = merge(merge(merge(merge(sum, a), b), c), d);
        } else {
            sum = P5;
        }
        sum += data.length;
        for (; at + 8 <= data.length; at += 8) {
            sum = Long.rotateLeft(sum ^ round(0, (long) LONG.get(data, at)), 27) * P1 + P4;
        }
        if (at + 4 <= data.length) {
            sum = Long.rotateLeft(sum ^ ((int) INT.get(data, at) & 0xFFFFFFFFL) * P1, 23) * P2 + P3;
            at += 4;
        }
        for (; at < data.length; at++) {
            sum = Long.rotateLeft(sum ^ (data[at] & 0xFF) * P5, 11) * P1;
        }
        sum = (sum ^ (sum >>> 33)) * P2;
        sum = (sum ^ (sum >>> 29)) * P3;
        return sum ^ (sum >>> 32);
    }

    private static long round(long lane, long input) {
        return Long.rotateLeft(lane + input * P2, 31) * P1;
    }

    private static long merge(long sum, long lane) {
        return (sum ^ round(0, lane)) * P1 + P4;
    }
}
