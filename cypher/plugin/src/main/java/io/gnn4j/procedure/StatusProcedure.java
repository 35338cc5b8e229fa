// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.extension.GnnContext;
import io.gnn4j.inference.OnnxRuntimeVersion;
import java.util.stream.Stream;
import org.neo4j.kernel.internal.Version;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Procedure;

/** What is linked and whether it works together. */
public class StatusProcedure {
    /** Kept equal to the version of the POM by a test. */
    static final String VERSION = "0.1.0";

    @Context
    public GnnContext gnn;

    @Procedure(name = "gnn.version", mode = Mode.READ)
    @Description("The version of gnn4j and of what it is linked to.")
    public Stream<VersionRow> version() {
        return Stream.of(new VersionRow(VERSION, Version.getNeo4jVersion(), gnn.services().graphs().status().version()));
    }

    @Procedure(name = "gnn.status", mode = Mode.READ)
    @Description("One row for each part gnn4j stands on: what was found and whether it is supported.")
    public Stream<StatusRow> status() {
        var gds = gnn.services().graphs().status();
        return Stream.of(
            new StatusRow("gnn4j", VERSION, true, "User " + gnn.user() + ", database " + gnn.databaseName() + "."),
            new StatusRow("neo4j", Version.getNeo4jVersion(), true, "Java " + Runtime.version() + "."),
            new StatusRow("gds", gds.version(), gds.supported(), gds.detail()),
            onnxRuntime(),
            engine(),
            new StatusRow("memory", null, true, "server.gnn.memory.max is " + gnn.services().memoryMax() + " bytes, "
                + gnn.services().memory().total() + " are taken (gnn.memory.list)."));
    }

    /** What answers, and what of this database it holds for everybody. */
    private StatusRow engine() {
        var held = gnn.services().memory().uses().stream()
            .filter(use -> use.user() == null && gnn.databaseName().equals(use.database()))
            .map(use -> use.kind() + " " + use.name() + " (" + use.bytes() + " bytes)").toList();
        return new StatusRow("engine", null, true, "Exact scan, float32 in blocks, the best rescored in double. "
            + (held.isEmpty() ? "Nothing of this database is in memory yet; it is read when it is first asked for."
                : "In memory, kept right by every commit: " + String.join(", ", held) + "."));
    }

    private static StatusRow onnxRuntime() {
        try {
            return new StatusRow("onnxruntime", OnnxRuntimeVersion.linked(), true, "Native library loaded.");
        } catch (LinkageError | RuntimeException failure) {
            return new StatusRow("onnxruntime", null, false, "ONNX Runtime cannot be loaded here: " + failure
                + ". Embedding-only models work; ONNX models need Linux x64/arm64, macOS arm64 or Windows x64.");
        }
    }

    public record VersionRow(
        @Description("Version of the gnn4j plugin.") String version,
        @Description("Version of Neo4j.") String neo4j,
        @Description("Version of the Graph Data Science library, null where none is linked.") String gds) {}

    public record StatusRow(
        @Description("The part.") String component,
        @Description("Its version, null where none was found.") String version,
        @Description("Whether gnn4j works with it.") boolean supported,
        @Description("What was found, and what to do if it is not supported.") String detail) {}
}
