// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static io.gnn4j.inference.ProtoReader.BYTES;

import io.gnn4j.inference.ScanFindings.Finding;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A constant of a model, as far as a scan must know it.
 *
 * @param values its integers where it is small enough to be a shape, else null
 */
record OnnxConstant(String name, long[] values) {
    /** What is longer is no shape. */
    static final int MAX_SIZES = 64;
    static final long MAX_DIMENSION = Integer.MAX_VALUE;
    static final int FLOAT32 = 1;
    static final int INT32 = 6;
    static final int INT64 = 7;
    static final int BOOL = 9;
    static final Finding ELSEWHERE =
        new Finding("external-data", "A tensor keeps its data in another file; export it with the weights inline.");
    /** Bytes of one element of the types a constant may have. */
    private static final Map<Long, Integer> WIDTH =
        Map.of((long) FLOAT32, 4, (long) INT32, 4, (long) INT64, 8, (long) BOOL, 1);

    /** Reads a tensor and checks that it holds what it says; what is wrong goes to {@code findings}. */
    static OnnxConstant read(ProtoReader in, ScanFindings findings) {
        var read = new TensorFields();
        var elsewhere = OnnxMessage.TENSOR.walk(in, findings, at -> {
            switch (at.field()) {
                case 1 -> {
                    for (var dim : at.numbers()) {
                        read.dims.add(dim);
                    }
                }
                case 2 -> read.type = at.number();
                case 4 -> {
                    if (at.wire() == BYTES && at.size() % 4 != 0) {
                        throw new ProtoReader.Malformed("a list of float32 is not a multiple of four bytes");
                    }
                    read.floats += at.wire() == BYTES ? at.size() / 4 : 1;
                }
                case 5 -> read.ints += at.numbers().length;
                case 7 -> read.longs(at.numbers());
                case 8 -> read.name = at.text();
                case 9 -> {
                    read.raw = at.size();
                    read.rawLongs = at.size() <= 8 * MAX_SIZES ? at.rawLongs() : null;
                }
                case 14 -> {
                    if (at.number() != 0) {
                        read.external = true;
                        findings.add(ELSEWHERE);
                    }
                }
                default -> { }
            }
        });
        return new OnnxConstant(read.name, elsewhere || read.external ? null : sizes(read, findings));
    }

    /** @return the integers of a sound, small int64 tensor, else null */
    private static long[] sizes(TensorFields read, ScanFindings findings) {
        var label = "The constant '" + ScanFindings.shown(read.name) + "'";
        var width = WIDTH.get(read.type);
        if (width == null) {
            findings.add("tensor-type", label + " has the ONNX type " + read.type + "; float32, int32, int64 and bool are allowed.");
            return null;
        }
        var product = 1.0;
        for (var dim : read.dims) {
            if (dim < 0 || dim > MAX_DIMENSION) {
                findings.add("tensor-size", label + " has a dimension of " + dim + ".");
                return null;
            }
            product *= dim;
        }
        var typed = read.type == FLOAT32 ? read.floats : read.type == INT64 ? read.longs : read.ints;
        var elsewhere = read.floats + read.longs + read.ints - typed + (read.raw >= 0 ? typed : 0);
        var found = read.raw >= 0 ? read.raw : typed * width;
        if (product * width != found || elsewhere > 0) { // exact: a file has fewer bytes than a double has whole numbers
            findings.add("tensor-size", label + " of shape " + read.dims.subList(0, Math.min(8, read.dims.size())) + " should hold "
                + String.format(Locale.ROOT, "%.0f", product * width) + " bytes, but holds " + found
                + (elsewhere > 0 ? ", and more in another field." : "."));
            return null;
        }
        var elements = (long) product;
        if (read.type != INT64 || elements > MAX_SIZES) {
            return null;
        }
        return read.raw >= 0 ? read.rawLongs : Arrays.copyOf(read.values, (int) elements);
    }

    private static final class TensorFields {
        String name = "";
        long type;
        final List<Long> dims = new ArrayList<>();
        long floats;
        long ints;
        long longs;
        long[] values = new long[0];
        long raw = -1;
        long[] rawLongs;
        /** Whether it points to another file. */
        boolean external;

        void longs(long[] more) {
            longs += more.length;
            if (longs <= MAX_SIZES) {
                var before = values.length;
                values = Arrays.copyOf(values, before + more.length);
                System.arraycopy(more, 0, values, before, more.length);
            }
        }
    }
}
