// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.pipeline.AutoTuningConfig;
import io.gnn4j.pipeline.KnownModels;
import io.gnn4j.pipeline.Pipeline;
import io.gnn4j.pipeline.SplitConfig;
import io.gnn4j.pipeline.TrainingConfig;
import io.gnn4j.registry.NodePropertySteps;
import io.gnn4j.registry.Pipelines;
import io.gnn4j.registry.TaskInDatabase;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;

/** The catalogue of recommendation pipelines, named after GDS's for link prediction. */
public class PipelineProcedure {
    private static final String TASK = "{ recommend :: STRING (label), to :: STRING (label), via :: MAP (weight by relationship type),"
        + " key :: MAP (property by label; may be left out where one property is unique), timeProperty :: STRING, horizon :: STRING,"
        + " seen :: LIST<STRING>, alsoLabels :: LIST<STRING>, alsoTypes :: LIST<STRING>, features :: MAP,"
        + " ratings :: MAP (property by relationship type, for models that predict ratings) }";

    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Procedure(name = "gnn.pipeline.create", mode = Mode.WRITE)
    @Description("Makes an empty recommendation pipeline; gnn.pipeline.fromTask makes a complete one.")
    public Stream<PipelineRow> create(@Name(value = "name", description = "Name of the pipeline.") String name) {
        return rows(pipelines().create(Pipeline.empty(gnn.user(), name, System.currentTimeMillis())));
    }

    @Procedure(name = "gnn.pipeline.fromTask", mode = Mode.WRITE)
    @Description("Makes a complete pipeline from a task, with the default model; gives its task to one that has none yet.")
    public Stream<PipelineRow> fromTask(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "task", description = TASK) Map<String, Object> task) {
        var completed = TaskInDatabase.complete(tx, task);
        if (pipelines().find(name).filter(found -> found.task().isEmpty()).isPresent()) {
            return rows(pipelines().change(name, found -> found.withTask(completed)));
        }
        return rows(pipelines().create(Pipeline.empty(gnn.user(), name, System.currentTimeMillis()).withTask(completed)
            .withCandidate(KnownModels.check(KnownModels.standard(), Map.of()))));
    }

    @Procedure(name = "gnn.pipeline.addNodeProperty", mode = Mode.WRITE)
    @Description("Adds a node property that a GDS procedure computes: on the train part to measure, on everything to serve.")
    public Stream<PipelineRow> addNodeProperty(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "procedure", description = "A GDS procedure that mutates: `fastRP`, or `gds.fastRP.mutate`.") String procedure,
            @Name(value = "configuration", description = "Of that procedure, with `mutateProperty`, without nodeLabels and types.")
            Map<String, Object> configuration) {
        var pipeline = pipelines().get(name);
        var step = new NodePropertySteps(tx, gnn.services().graphs()).check(pipeline.steps(), procedure, configuration);
        return change(name, found -> found.withStep(step));
    }

    @Procedure(name = "gnn.pipeline.selectFeatures", mode = Mode.WRITE)
    @Description("Names node properties that the models may read; adds to those selected before.")
    public Stream<PipelineRow> selectFeatures(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "featureProperties", description = "STRING | LIST<STRING>: node properties of the projection or of steps.")
            Object featureProperties) {
        var features = switch (featureProperties) {
            case String one -> List.of(one);
            case List<?> many when !many.isEmpty() && many.stream().allMatch(String.class::isInstance) ->
                many.stream().map(String.class::cast).toList();
            case null, default -> throw new InvalidConfiguration(List.of("`featureProperties` must be a STRING or a LIST<STRING> that names"
                + " properties, but is " + ConfigMap.describe(featureProperties) + "."));
        };
        return change(name, found -> found.withFeatures(features));
    }

    @Procedure(name = "gnn.pipeline.configureSplit", mode = Mode.WRITE)
    @Description("Says how the test part is held out.")
    public Stream<PipelineRow> configureSplit(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "configuration", description = SplitConfig.KEYS) Map<String, Object> configuration) {
        var split = SplitConfig.parse(configuration);
        return change(name, found -> found.withSplit(split));
    }

    @Procedure(name = "gnn.pipeline.addModel", mode = Mode.WRITE)
    @Description("Adds a model to be tried; several are compared and the best is kept.")
    public Stream<PipelineRow> addModel(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "model", description = "One of `gnn4j models`, `fism` say.") String model,
            @Name(value = "configuration", defaultValue = "{}",
                description = "Its hyper-parameters: single values, or {range: [low, high]} for those to be looked for.")
            Map<String, Object> configuration) {
        var candidate = KnownModels.check(model, configuration);
        return change(name, found -> found.withCandidate(candidate));
    }

    @Procedure(name = "gnn.pipeline.configureAutoTuning", mode = Mode.WRITE)
    @Description("Says how long good hyper-parameters are looked for.")
    public Stream<PipelineRow> configureAutoTuning(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "configuration", description = AutoTuningConfig.KEYS) Map<String, Object> configuration) {
        var tuning = AutoTuningConfig.parse(configuration);
        return change(name, found -> found.withAutoTuning(tuning));
    }

    @Procedure(name = "gnn.pipeline.configureTraining", mode = Mode.WRITE)
    @Description("Says what is done beside and after the search.")
    public Stream<PipelineRow> configureTraining(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "configuration", description = TrainingConfig.KEYS) Map<String, Object> configuration) {
        var training = TrainingConfig.parse(configuration);
        return change(name, found -> found.withTraining(training));
    }

    @Procedure(name = "gnn.pipeline.list", mode = Mode.READ)
    @Description("Your pipelines, by name.")
    public Stream<PipelineRow> list() {
        return pipelines().list().stream().map(PipelineRow::new);
    }

    @Procedure(name = "gnn.pipeline.info", mode = Mode.READ)
    @Description("One of your pipelines.")
    public Stream<PipelineRow> info(@Name(value = "name", description = "Name of the pipeline.") String name) {
        return rows(pipelines().get(name));
    }

    @Procedure(name = "gnn.pipeline.exists", mode = Mode.READ)
    @Description("Whether you have a pipeline of that name.")
    public Stream<ExistsRow> exists(@Name(value = "name", description = "Name of the pipeline.") String name) {
        var found = pipelines().find(name);
        return Stream.of(new ExistsRow(name, found.isPresent() ? Pipeline.TYPE : "n/a", found.isPresent()));
    }

    @Procedure(name = "gnn.pipeline.drop", mode = Mode.WRITE)
    @Description("Removes one of your pipelines with its schedules; its jobs and models stay.")
    public Stream<PipelineRow> drop(
            @Name(value = "name", description = "Name of the pipeline.") String name,
            @Name(value = "failIfMissing", defaultValue = "true", description = "Whether a name that you have no pipeline of is an error.")
            boolean failIfMissing) {
        var dropped = pipelines().drop(name, failIfMissing);
        dropped.ifPresent(pipeline -> gnn.services().jobs().endSchedules(tx, gnn.user(), name));
        return dropped.stream().map(PipelineRow::new);
    }

    private Pipelines pipelines() {
        return new Pipelines(tx, gnn.user());
    }

    private Stream<PipelineRow> change(String name, UnaryOperator<Pipeline> change) {
        return rows(pipelines().change(name, change));
    }

    private static Stream<PipelineRow> rows(Pipeline pipeline) {
        return Stream.of(new PipelineRow(pipeline));
    }

    public record ExistsRow(
        @Description("The name asked for.") String pipelineName,
        @Description("What kind of pipeline it is; n/a where there is none.") String pipelineType,
        @Description("Whether you have one.") boolean exists) {}
}
