// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import static io.gnn4j.inference.ProtoReader.BYTES;
import static io.gnn4j.inference.ProtoReader.FIXED32;
import static io.gnn4j.inference.ProtoReader.VARINT;

import io.gnn4j.inference.ScanFindings.Finding;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** The messages an ONNX file is made of, with the fields each may have by number; what is not here is refused. */
enum OnnxMessage {
    MODEL("model",
        Map.of(1, VARINT, 2, BYTES, 3, BYTES, 4, BYTES, 5, VARINT, 6, BYTES, 7, BYTES, 8, BYTES, 14, BYTES), Set.of(8, 14),
        Map.of(20, new Finding("training", "It carries training information; export it for inference."),
            25, new Finding("functions", "It defines operators of its own; export it with all operators inline."))),
    OPSET("operator set", Map.of(1, BYTES, 2, VARINT), Set.of(), Map.of()),
    GRAPH("graph",
        Map.of(1, BYTES, 2, BYTES, 5, BYTES, 10, BYTES, 11, BYTES, 12, BYTES, 13, BYTES, 16, BYTES), Set.of(1, 5, 11, 12, 13, 16),
        Map.of()),
    NODE("node",
        Map.of(1, BYTES, 2, BYTES, 3, BYTES, 4, BYTES, 5, BYTES, 6, BYTES, 7, BYTES, 9, BYTES), Set.of(1, 2, 5, 9), Map.of()),
    ATTRIBUTE("attribute",
        Map.of(1, BYTES, 2, FIXED32, 3, VARINT, 4, BYTES, 5, BYTES, 7, FIXED32, 8, VARINT, 9, BYTES, 13, BYTES, 20, VARINT),
        Set.of(7, 8, 9),
        Map.of(6, Refused.SUBGRAPH, 11, Refused.SUBGRAPH)),
    TENSOR("tensor",
        Map.of(1, VARINT, 2, VARINT, 4, FIXED32, 5, VARINT, 7, VARINT, 8, BYTES, 9, BYTES, 12, BYTES, 14, VARINT, 16, BYTES),
        Set.of(1, 4, 5, 7, 16),
        Map.of(13, OnnxConstant.ELSEWHERE)),
    VALUE("value", Map.of(1, BYTES, 2, BYTES, 3, BYTES, 4, BYTES), Set.of(4), Map.of()),
    TYPE("type", Map.of(1, BYTES, 6, BYTES), Set.of(), Map.of()),
    TENSOR_TYPE("tensor type", Map.of(1, VARINT, 2, BYTES), Set.of(), Map.of()),
    SHAPE("shape", Map.of(1, BYTES), Set.of(1), Map.of()),
    DIMENSION("dimension", Map.of(1, VARINT, 2, BYTES, 3, BYTES), Set.of(), Map.of());

    /** Shared by two fields; a constant of the enum itself would be read before it is set. */
    private static final class Refused {
        static final Finding SUBGRAPH = new Finding("subgraph", "An attribute holds a graph.");
    }

    private final String title;
    private final Map<Integer, Integer> wires;
    private final Set<Integer> repeated;
    /** Refused with a code of their own, so that the reason is understood. */
    private final Map<Integer, Finding> refused;

    OnnxMessage(String title, Map<Integer, Integer> wires, Set<Integer> repeated, Map<Integer, Finding> refused) {
        this.title = title;
        this.wires = wires;
        this.repeated = repeated;
        this.refused = refused;
    }

    /**
     * Hands over each allowed field; every other one becomes a finding.
     *
     * @return whether a field was met that is refused with a code of its own
     */
    boolean walk(ProtoReader in, ScanFindings findings, Consumer<ProtoReader> each) {
        var seen = new HashSet<Integer>();
        var metRefused = false;
        while (in.next()) {
            var number = in.field();
            if (refused.containsKey(number)) {
                findings.add(refused.get(number));
                metRefused = true;
                continue;
            }
            var wire = wires.get(number);
            if (wire == null) {
                findings.add("field", "The " + title + " has the field " + number + ", which is not allowed.");
                continue;
            }
            var repeats = repeated.contains(number);
            var packed = repeats && wire != BYTES && in.wire() == BYTES;
            if (in.wire() != wire && !packed) {
                findings.add("field", "Field " + number + " of the " + title + " has wire type " + in.wire() + ".");
            } else if (!seen.add(number) && !repeats) {
                // Some parsers take the last, some merge: whoever scans one way is blind to the other.
                findings.add("field", "Field " + number + " of the " + title + " stands twice.");
            } else {
                each.accept(in);
            }
        }
        return metRefused;
    }
}
