// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.procedure;

import io.gnn4j.config.ConfigMap;
import io.gnn4j.config.InvalidConfiguration;
import io.gnn4j.extension.GnnContext;
import io.gnn4j.extension.GnnSettings;
import io.gnn4j.job.JobReport;
import io.gnn4j.job.Lease;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.neo4j.graphdb.Transaction;
import org.neo4j.procedure.Context;
import org.neo4j.procedure.Description;
import org.neo4j.procedure.Mode;
import org.neo4j.procedure.Name;
import org.neo4j.procedure.Procedure;

/** Training jobs as a worker sees them. */
public class JobLeaseProcedure {
    @Context
    public GnnContext gnn;

    @Context
    public Transaction tx;

    @Procedure(name = "gnn.job.lease", mode = Mode.WRITE)
    @Description("For workers: takes the job that waits longest; no row where none waits. It stays the worker's for `leaseMillis`, and each"
        + " gnn.job.report renews that.")
    public Stream<LeaseRow> lease(
            @Name(value = "configuration", description = "{ worker :: STRING, its name, device = null :: STRING, what it trains on }")
            Map<String, Object> configuration) {
        JobAccess.requireWorker(gnn, "call `gnn.job.lease`");
        var config = ConfigMap.of(configuration);
        var worker = config.getString("worker", null);
        if (worker == null || worker.isBlank() || worker.length() > 200) {
            config.fault("`worker` must be a name of 1 to 200 characters, as gnn.worker.list shows it.");
        }
        var device = config.getString("device", null);
        config.check();
        return gnn.services().jobs().leases().lease(tx, JobAccess.place(gnn), gnn.user(), worker, device).stream().map(LeaseRow::new);
    }

    @Procedure(name = "gnn.job.report", mode = Mode.WRITE)
    @Description("For workers: tells how a job goes, and keeps it for another `leaseMillis`. The job's node stays locked to the end of the"
        + " transaction, so that what else the transaction writes is written as its worker or not at all.")
    public Stream<ReportRow> report(
            @Name(value = "jobId", description = "As gnn.job.lease returned it.") String jobId,
            @Name(value = "token", description = "As gnn.job.lease returned it. One that is out of date fails with `lease lost:`.")
            String token,
            @Name(value = "report", defaultValue = "{}",
                description = "What is left out stays as it was: { state :: STRING (RUNNING, FINISHED,"
                + " FAILED, CANCELED, or PENDING to hand the job back), progress :: FLOAT in [0, 1], epoch :: INTEGER, metrics :: MAP,"
                + " device :: STRING, timeLeftMillis :: INTEGER, message :: STRING, log :: LIST<MAP {level, message}>,"
                + " modelVersion :: INTEGER, modelInfo :: MAP, modelSelectionStats :: MAP }")
            Map<String, Object> report) {
        JobAccess.requireWorker(gnn, "call `gnn.job.report`");
        if (jobId == null || token == null) {
            throw new InvalidConfiguration(List.of("`jobId` and `token` must be those that gnn.job.lease returned, but `"
                + (jobId == null ? "jobId" : "token") + "` is null."));
        }
        var status = gnn.services().jobs().leases().report(tx, JobAccess.place(gnn), gnn.user(), jobId, token, JobReport.parse(report));
        return Stream.of(new ReportRow(status.name(), gnn.services().config().get(GnnSettings.WORKER_LEASE).toMillis()));
    }

    public record LeaseRow(
        @Description("Names the job.") String jobId,
        @Description("Proves that this worker has it; to be given with everything it does for the job.") String token,
        @Description("How often a worker took the job, this time included.") long attempt,
        @Description("The pipeline as it was submitted, and for whom: see docs/formats.md.") Map<String, Object> job,
        @Description("Milliseconds until the job goes to another worker unless it is reported on.") long leaseMillis) {
        LeaseRow(Lease lease) {
            this(lease.jobId(), lease.token(), lease.attempt(), lease.job(), lease.millis());
        }
    }

    public record ReportRow(
        @Description("Status of the job; CANCELING asks the worker to stop and to report CANCELED.") String status,
        @Description("Milliseconds until the job goes to another worker unless it is reported on again.") long leaseMillis) {}
}
