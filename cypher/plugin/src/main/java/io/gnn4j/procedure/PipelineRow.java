// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.pipeline.Pipeline;
import java.util.List;
import java.util.Map;
import org.neo4j.procedure.Description;

/** A pipeline as every procedure that makes, changes or shows one returns it. */
public record PipelineRow(
    @Description("Name of the pipeline.") String name,
    @Description("What is recommended to whom; empty until it is known.") Map<String, Object> task,
    @Description("Node properties that are computed before training: `{name, config}` each.") List<Map<String, Object>> nodePropertySteps,
    @Description("Node properties that the models may read.") List<String> featureProperties,
    @Description("How the test part is held out; what is not said follows from the task.") Map<String, Object> splitConfig,
    @Description("How long hyper-parameters are looked for.") Map<String, Object> autoTuningConfig,
    @Description("What is done beside and after the search.") Map<String, Object> trainingConfig,
    @Description("The configurations to be tried, by model.") Map<String, Object> parameterSpace) {
    PipelineRow(Pipeline pipeline) {
        this(pipeline.name(), pipeline.task(),
            pipeline.steps().stream().map(step -> Map.<String, Object>of("name", step.procedure(), "config", step.config())).toList(),
            pipeline.features(), pipeline.split(), pipeline.autoTuning(), pipeline.training(), pipeline.parameterSpace());
    }
}
