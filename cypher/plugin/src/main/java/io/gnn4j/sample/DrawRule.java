// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.sample;

/** The arithmetic of a draw, the same bits in every language; see "What is drawn" in docs/formats.md. */
public final class DrawRule {
    private static final long STEP = 0x9E3779B97F4A7C15L;
    private static final double LN_2 = 0.6931471805599453;
    private static final double SQRT_HALF = 0.7071067811865476;

    private DrawRule() {}

    /** The finaliser of SplitMix64 (Steele, Lea and Flood, 2014; constants by Stafford). */
    static long mix(long value) {
        var z = (value ^ value >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /** One more number in the chain: {@code hash64(a, b) = chain(chain(0, a), b)}. */
    public static long chain(long before, long value) {
        return mix(before + STEP + value);
    }

    public static long hash64(long randomSeed, long nodeId, int hop, int relation, int draw) {
        return chain(chain(chain(chain(chain(0, randomSeed), nodeId), hop), relation), draw);
    }

    /** In [0, bound). */
    static int below(long hash, int bound) {
        return (int) Math.unsignedMultiplyHigh(hash, bound);
    }

    /** In [0, 1). */
    static double unit(long hash) {
        return (hash >>> 11) * 0x1p-53;
    }

    /** Natural logarithm by sums and products alone, for x in (0, 1]. */
    static double ln(double x) {
        int exponent = Math.getExponent(x) + 1;
        double mantissa = x * Math.scalb(1.0, -exponent);
        if (mantissa < SQRT_HALF) {
            mantissa *= 2;
            exponent--;
        }
        double s = (mantissa - 1) / (mantissa + 1);
        double z = s * s;
        double q = 1.0 / 21;
        for (int c = 19; c >= 1; c -= 2) {
            q = q * z + 1.0 / c;
        }
        return exponent * LN_2 + 2 * s * q;
    }

    /** The key by which a neighbour is among the K smallest; weight > 0. */
    static double exponentialKey(long hash, double weight) {
        return -ln(1 - unit(hash)) / weight;
    }
}
