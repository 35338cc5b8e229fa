// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.extension;

import static org.neo4j.configuration.SettingConstraints.range;
import static org.neo4j.configuration.SettingImpl.newBuilder;
import static org.neo4j.configuration.SettingValueParsers.BOOL;
import static org.neo4j.configuration.SettingValueParsers.BYTES;
import static org.neo4j.configuration.SettingValueParsers.DURATION;
import static org.neo4j.configuration.SettingValueParsers.INT;
import static org.neo4j.configuration.SettingValueParsers.STRING;
import static org.neo4j.configuration.SettingValueParsers.listOf;

import java.time.Duration;
import java.util.List;
import org.neo4j.configuration.Description;
import org.neo4j.configuration.SettingsDeclaration;
import org.neo4j.graphdb.config.Setting;

/**
 * What an administrator may set in {@code neo4j.conf}. The names begin with {@code server.}: Neo4j does not start
 * with a setting outside its own name spaces.
 */
public final class GnnSettings implements SettingsDeclaration {
    @Description("Bytes that graph copies, matrices and queues may take together; 0 means a quarter of the heap.")
    public static final Setting<Long> MEMORY_MAX = newBuilder("server.gnn.memory.max", BYTES, 0L).build();

    @Description("Threads inside one ONNX Runtime session; requests run beside each other anyway.")
    public static final Setting<Integer> INFERENCE_THREADS = newBuilder("server.gnn.inference.threads", INT, 1).build();

    @Description("The users who may load, move and drop models.")
    public static final Setting<List<String>> MODEL_LOAD_USERS =
        newBuilder("server.gnn.model.load.users", listOf(STRING), List.of("neo4j")).build();

    @Description("The users who may work on training jobs.")
    public static final Setting<List<String>> WORKER_USERS =
        newBuilder("server.gnn.worker.users", listOf(STRING), List.of()).build();

    @Description("How long a worker may be silent before its job goes to the next one.")
    public static final Setting<Duration> WORKER_LEASE = newBuilder("server.gnn.worker.lease", DURATION, Duration.ofSeconds(60))
        .addConstraint(range(Duration.ofSeconds(1), Duration.ofHours(1))).build();

    @Description("Has no effect yet: committed changes are always followed.")
    public static final Setting<Boolean> REFRESH_ENABLED = newBuilder("server.gnn.refresh.enabled", BOOL, true).build();
}
