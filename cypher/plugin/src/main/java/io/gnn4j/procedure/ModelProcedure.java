// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnSettings;
import io.gnn4j.registry.ModelInfo;
import io.gnn4j.registry.ModelLoader;
import io.gnn4j.registry.ModelName;
import io.gnn4j.registry.ModelUsers;
import io.gnn4j.registry.Models;
import io.gnn4j.writeback.OwnTransactions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;
import org.neo4j.procedure.TerminationGuard;
import org.neo4j.procedure.UserFunction;

/** The registry of models. */
public class ModelProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Context
    public TerminationGuard guard;

    @Procedure(name = "gnn.model.load", mode = Mode.WRITE)
    @Description("Checks an artefact and stores it as a new version of a model; the same artefact again goes on with the version"
        + " that holds it. No query sees the version before it is ready.")
    public Stream<LoadRow> load(
            @Name(value = "name", description = "Name of the model: 1 to 64 of A-Z, a-z, 0-9 and _.") String name,
            @Name(value = "artefact",
                description = "BYTES: the zip with manifest.json and model.onnx; other parts follow with gnn.model.addPart.")
            Object artefact,
            @Name(value = "configuration", defaultValue = "{}", description = "{} - there is nothing to set yet.")
            Map<String, Object> configuration) {
        requireUser("gnn.model.load");
        ConfigMap.of(configuration).check();
        return Stream.of(new LoadRow(loader().load(tx, name, bytes("artefact", artefact))));
    }

    @Procedure(name = "gnn.model.addPart", mode = Mode.WRITE)
    @Description("Stores one piece of a part that the manifest declares; the same piece again changes nothing.")
    public Stream<LoadRow> addPart(
            @Name(value = "name", description = "Name of the model.") String name,
            @Name(value = "version", description = "Its version, as gnn.model.load returned it.") long version,
            @Name(value = "file", description = "The part, e.g. vectors.arrow.") String file,
            @Name(value = "index", description = "Number of the piece, from 0.") long index,
            @Name(value = "bytes",
                description = "BYTES: the piece, at most 16 MiB; its sha256 must be that of the manifest.") Object bytes) {
        requireUser("gnn.model.addPart");
        return Stream.of(new LoadRow(loader().addPart(tx, name, version, file, index, bytes("bytes", bytes))));
    }

    @Procedure(name = "gnn.model.list", mode = Mode.READ)
    @Description("Every version of every model in this database, by name and version.")
    public Stream<ModelRow> list() {
        return loader().list(tx).stream().map(ModelRow::new);
    }

    @Procedure(name = "gnn.model.alias", mode = Mode.WRITE)
    @Description("Points an alias to a ready version; queries that name the alias use it from the commit of this transaction on.")
    public Stream<ModelRow> alias(
            @Name(value = "alias", description = "Name of the alias; made when there is none.") String alias,
            @Name(value = "name", description = "Name of the model.") String name,
            @Name(value = "configuration", defaultValue = "{}",
                description = "{ version :: INTEGER, the newest ready one by default, expected :: INTEGER, the version the alias"
                    + " must point to now, 0 for none; any by default }") Map<String, Object> configuration) {
        requireUser("gnn.model.alias");
        var config = ConfigMap.of(configuration);
        var version = optional(config, "version", 1);
        var expected = optional(config, "expected", 0);
        config.check();
        return Stream.of(new ModelRow(loader().point(tx, alias, name, version, expected)));
    }

    // SCHEMA, for it drops an index in a transaction of its own.
    @Procedure(name = "gnn.model.drop", mode = Mode.SCHEMA)
    @Description("Removes a version with its vectors and its index, in batches of its own transactions; waits for calls that use it."
        + " A version that an alias points to is refused.")
    public Stream<DropRow> drop(
            @Name(value = "name", description = "Name of the model.") String name,
            @Name(value = "configuration", defaultValue = "{}",
                description = "{ version :: INTEGER, the only one by default, failIfMissing = true :: BOOLEAN }")
            Map<String, Object> configuration) {
        requireUser("gnn.model.drop");
        var config = ConfigMap.of(configuration);
        var version = optional(config, "version", 1);
        var failIfMissing = config.getBoolean("failIfMissing", true);
        config.check();
        OwnTransactions.requireNoWrites(tx, "gnn.model.drop");
        var own = new OwnTransactions(gnn.database(), gnn.security(), guard::check);
        var dropped = models().removal().drop(Models.id(gnn.database()), own, name, version, failIfMissing, guard::check);
        for (var removed : dropped) { // what was made from its properties is of no use any more
            var property = ModelName.property(removed.name(), removed.version());
            gnn.services().caches().forget(gnn.databaseName(), property);
            gnn.services().caches().forget(gnn.databaseName(), property + "_c");
        }
        return dropped.stream().map(removed -> new DropRow(removed.name(), removed.version(), removed.removedProperties()));
    }

    @Procedure(name = "gnn.model.export", mode = Mode.READ)
    @Description("The stored files of a version, piece by piece, manifest first.")
    public Stream<PieceRow> export(
            @Name(value = "name", description = "Name of the model.") String name,
            @Name(value = "configuration", defaultValue = "{}",
                description = "{ version :: INTEGER, the newest ready one by default }") Map<String, Object> configuration) {
        var config = ConfigMap.of(configuration);
        var version = optional(config, "version", 1);
        config.check();
        return loader().export(tx, name, version)
            .map(piece -> new PieceRow(piece.file(), piece.index(), piece.sha256(), piece.bytes()));
    }

    @UserFunction(name = "gnn.model.exists")
    @Description("Whether a `model` argument would be answered: an alias, or name:version, that is ready.")
    public boolean exists(@Name(value = "model", description = "An alias ('shop') or a version ('shop:3').") String model) {
        return model != null && models().exists(tx, model);
    }

    private Models models() {
        return gnn.services().models();
    }

    private ModelLoader loader() {
        return models().loader();
    }

    private void requireUser(String procedure) {
        new ModelUsers(gnn.services().config().get(GnnSettings.MODEL_LOAD_USERS)).require(gnn.security(), procedure);
    }

    private static Long optional(ConfigMap config, String key, long minimum) {
        return config.has(key) ? config.getLong(key, minimum, minimum, Long.MAX_VALUE) : null;
    }

    /** Byte arguments are declared Object: as byte[] Cypher would convert them element by element. */
    private static byte[] bytes(String argument, Object value) {
        if (value instanceof byte[] bytes) {
            return bytes;
        }
        throw new IllegalArgumentException("`" + argument + "` must be BYTES (bytes in Python, Uint8Array in JavaScript), but is "
            + (value == null ? "null" : value.getClass().getSimpleName()) + ".");
    }

    public record LoadRow(
        @Description("Name of the model.") String name,
        @Description("Number of the version, from 1.") long version,
        @Description("The contract the model follows.") String contract,
        @Description("SHA-256 of the manifest, which pins every other byte.") String sha256,
        @Description("`loading` while parts are missing, `building` until its vectors are written, then `ready`.") String state,
        @Description("`{file, index}` of each piece that has not arrived yet.") List<Map<String, Object>> partsMissing) {
        LoadRow(ModelInfo info) {
            this(info.name(), info.version(), info.contract(), info.sha256(), info.state().text(), info.partsMissing());
        }
    }

    public record ModelRow(
        @Description("Name of the model.") String name,
        @Description("Number of the version, from 1.") long version,
        @Description("`loading`, `building`, `ready` or `retired`; only `ready` ones answer.") String state,
        @Description("Aliases that point to this version.") List<String> aliases,
        @Description("The contract the model follows; null when the stored manifest is damaged.") String contract,
        @Description("SHA-256 of the manifest.") String sha256,
        @Description("The task it was trained for.") Map<String, Object> task,
        @Description("What was measured, with protocol and split.") List<Object> metrics,
        @Description("Length of a vector.") Long dimension,
        @Description("`dot` or `cosine`.") String similarity,
        @Description("Property with the vectors that are compared.") String embeddingProperty,
        @Description("Property with the vectors that users are made of; null when the contract has none.") String contextProperty,
        @Description("Name of the vector index.") String vectorIndex,
        @Description("When it was loaded, epoch milliseconds.") Long createdAt,
        @Description("When its vectors were last written, epoch milliseconds; null before.") Long vectorsAt,
        @Description("`{file, index}` of each piece that has not arrived yet.") List<Map<String, Object>> partsMissing) {
        ModelRow(ModelInfo info) {
            this(info.name(), info.version(), info.state().text(), info.aliases(), info.contract(), info.sha256(), info.task(),
                info.metrics(), info.dimension(), info.similarity(), info.embeddingProperty(), info.contextProperty(), info.vectorIndex(),
                info.createdAt(), info.vectorsAt(), info.partsMissing());
        }
    }

    public record DropRow(
        @Description("Name of the model.") String name,
        @Description("The version that was removed.") long version,
        @Description("Nodes from which its vectors were removed.") long nodePropertiesRemoved) {}

    public record PieceRow(
        @Description("The file.") String file,
        @Description("Number of the piece, from 0.") long index,
        @Description("SHA-256 of the piece.") String sha256,
        @Description("The piece.") byte[] bytes) {}
}
