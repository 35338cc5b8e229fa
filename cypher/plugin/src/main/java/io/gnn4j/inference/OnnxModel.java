// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.inference;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import io.gnn4j.artefact.Hash;
import io.gnn4j.artefact.Manifest;
import io.gnn4j.artefact.ModelRefused;
import io.gnn4j.artefact.TensorData;
import io.gnn4j.artefact.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * One ONNX Runtime session over bytes that passed every check; the checks run at each opening, because bytes that lie
 * in a database may have been changed by anyone who can write there.
 */
public final class OnnxModel implements AutoCloseable {
    /** A run that takes longer, and a second more for each MB of its inputs, is ended: one thread must not be lost to a model. */
    static final long RUN_LIMIT_SECONDS = 30;

    private static final ScheduledExecutorService WATCHDOG = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "gnn-onnx-watchdog");
        thread.setDaemon(true);
        return thread;
    });

    /** Of all models: what runs at the same time is limited, how many models there are is not. */
    private static final NativeBuffers BUFFERS = new NativeBuffers(128L << 20);

    private final OrtEnvironment environment;
    private final OrtSession session;

    private OnnxModel(OrtEnvironment environment, OrtSession session) {
        this.environment = environment;
        this.session = session;
    }

    /**
     * Hash, scan, session, signature, golden sample, in this order.
     *
     * @param threads inside one run; requests run beside each other anyway
     * @throws ModelRefused with the reason
     */
    public static OnnxModel open(Manifest manifest, byte[] bytes, int threads) {
        var part = manifest.part(Manifest.MODEL_FILE);
        if (bytes.length != part.bytes() || !Hash.sha256(bytes).equals(part.sha256())) {
            throw new ModelRefused(Manifest.MODEL_FILE, "Its bytes are not the ones the manifest names (sha256 differs).");
        }
        var scanned = OnnxScan.check(bytes);
        compare(manifest, scanned.inputs(), scanned.outputs());
        OnnxModel model;
        try {
            var environment = OrtEnvironment.getEnvironment();
            try (var options = new OrtSession.SessionOptions()) {
                options.setIntraOpNumThreads(threads);
                options.setInterOpNumThreads(1);
                options.addConfigEntry("session.intra_op.allow_spinning", "0");
                options.addConfigEntry("session.load_model_format", "ONNX"); // what was scanned, nothing else
                // With sizes that differ from call to call the arena and the memory pattern only grow.
                options.setCPUArenaAllocator(false);
                options.setMemoryPatternOptimization(false);
                model = new OnnxModel(environment, environment.createSession(bytes, options));
            }
        } catch (OrtException refused) {
            throw new ModelRefused(Manifest.MODEL_FILE, "ONNX Runtime cannot open it: " + firstLine(refused) + ".");
        }
        try {
            model.checkSignature(manifest);
            model.checkGolden(manifest);
            return model;
        } catch (RuntimeException failure) {
            model.close();
            throw failure;
        }
    }

    /** An estimate of the native memory of a session: the file, and its unpacked weights. */
    public static long memory(long fileBytes) {
        return 2 * fileBytes + (256 << 10);
    }

    /** What ONNX Runtime sees must be what the manifest says, too: the scan is not the one that runs the file. */
    private void checkSignature(Manifest manifest) {
        try {
            compare(manifest, specs(session.getInputInfo()), specs(session.getOutputInfo()));
        } catch (OrtException failure) {
            throw new ModelRefused("signature", "ONNX Runtime cannot tell it: " + firstLine(failure) + ".");
        }
    }

    private static List<TensorSpec> specs(Map<String, NodeInfo> found) {
        return found.values().stream().map(info -> info.getInfo() instanceof TensorInfo tensor
            ? new TensorSpec(info.getName(), name(tensor.type), Arrays.stream(tensor.getShape()).boxed().toList())
            : new TensorSpec(info.getName(), "no tensor", List.of())).toList();
    }

    private static void compare(Manifest manifest, List<TensorSpec> inputs, List<TensorSpec> outputs) {
        var faults = new ArrayList<String>();
        compare("input", manifest.inputs(), inputs, faults);
        compare("output", manifest.outputs(), outputs, faults);
        if (!faults.isEmpty()) {
            throw new ModelRefused("signature", faults);
        }
    }

    private static void compare(String what, List<TensorSpec> declared, List<TensorSpec> found, List<String> faults) {
        for (var spec : found) {
            if (declared.stream().noneMatch(other -> other.name().equals(spec.name()))) {
                faults.add("The model has the " + what + " " + spec + ", which the manifest does not declare.");
            }
        }
        for (var spec : declared) {
            var same = found.stream().filter(other -> other.name().equals(spec.name())).findFirst().orElse(null);
            if (same == null) {
                faults.add("The manifest declares the " + what + " " + spec + ", which the model does not have.");
            } else if (!same.equals(spec)) {
                faults.add("The " + what + " is declared as " + spec + ", but is " + same + ".");
            }
        }
    }

    private static String name(OnnxJavaType type) {
        return switch (type) {
            case FLOAT -> "float32";
            case INT64 -> "int64";
            case BOOL -> "bool";
            default -> type.name().toLowerCase(java.util.Locale.ROOT);
        };
    }

    private void checkGolden(Manifest manifest) {
        var golden = manifest.golden();
        Map<String, TensorData> outputs;
        try {
            outputs = run(golden.inputs());
        } catch (IllegalStateException failure) {
            throw new ModelRefused("golden sample", "The model fails on it: " + failure.getMessage());
        }
        for (var expected : golden.outputs().entrySet()) {
            var found = outputs.get(expected.getKey());
            var wanted = expected.getValue();
            if (!Arrays.equals(found.shape(), wanted.shape())) {
                throw new ModelRefused("golden sample", "Output '" + expected.getKey() + "' has shape "
                    + Arrays.toString(found.shape()) + " where " + Arrays.toString(wanted.shape()) + " is expected.");
            }
            var worst = difference(found, wanted);
            if (!(worst <= golden.tolerance())) { // NaN is refused too
                throw new ModelRefused("golden sample", "Output '" + expected.getKey() + "' differs by " + worst
                    + " from what the exporter saw; at most " + golden.tolerance() + " is allowed.");
            }
        }
    }

    private static double difference(TensorData found, TensorData wanted) {
        if (wanted.floats() == null) {
            return Arrays.equals(found.longs(), wanted.longs()) && Arrays.equals(found.booleans(), wanted.booleans())
                ? 0 : Double.POSITIVE_INFINITY;
        }
        var worst = 0.0;
        for (int i = 0; i < wanted.floats().length; i++) {
            var expected = (double) wanted.floats()[i];
            worst = Math.max(worst, Math.abs(found.floats()[i] - expected) / Math.max(1, Math.abs(expected)));
        }
        return worst;
    }

    /**
     * @return every output by name
     * @throws IllegalStateException when ONNX Runtime fails or the run was ended for taking too long
     */
    Map<String, TensorData> run(Map<String, TensorData> inputs) {
        var taken = new ArrayList<ByteBuffer>();
        try {
            return run(tensors -> {
                for (var input : inputs.entrySet()) {
                    tensors.put(input.getKey(), tensor(input.getValue(), taken));
                }
            }, new RunSwitch(), RUN_LIMIT_SECONDS);
        } finally {
            taken.forEach(BUFFERS::giveBack); // the tensors over them are closed
        }
    }

    /**
     * As {@link #run(Map)}, of inputs that lie in native memory already.
     *
     * @param buffers in native order, from 0 to their limits
     * @param ending ends the run before its time
     */
    Map<String, TensorData> run(List<InputTensor> inputs, Map<String, ByteBuffer> buffers, RunSwitch ending) {
        return run(tensors -> {
            for (var input : inputs) {
                var buffer = buffers.get(input.name());
                tensors.put(input.name(), input.isFloat()
                    ? OnnxTensor.createTensor(environment, buffer.asFloatBuffer(), input.shape())
                    : OnnxTensor.createTensor(environment, buffer.asLongBuffer(), input.shape()));
            }
        }, ending, RUN_LIMIT_SECONDS + (inputs.stream().mapToLong(InputTensor::bytes).sum() >> 20));
    }

    private interface Filling {
        void fill(Map<String, OnnxTensor> tensors) throws OrtException;
    }

    private Map<String, TensorData> run(Filling inputs, RunSwitch ending, long limitSeconds) {
        var tensors = new HashMap<String, OnnxTensor>();
        try (var options = new OrtSession.RunOptions()) {
            var limit = new RunSwitch();
            limit.begin(options);
            ending.begin(options);
            var ended = WATCHDOG.schedule(limit::off, limitSeconds, TimeUnit.SECONDS);
            try {
                inputs.fill(tensors);
                try (var result = session.run(tensors, options)) {
                    var outputs = new HashMap<String, TensorData>();
                    for (var output : result) {
                        outputs.put(output.getKey(), data((OnnxTensor) output.getValue()));
                    }
                    return outputs;
                }
            } finally {
                ended.cancel(false);
                limit.over(); // waits for a switch that is being thrown: it must not touch options that are closed
                ending.over();
            }
        } catch (OrtException failure) {
            throw new IllegalStateException("ONNX Runtime: " + firstLine(failure) + ".", failure);
        } finally {
            tensors.values().forEach(OnnxTensor::close);
        }
    }

    /** @param taken gets the memory of the tensor, to be given back when it is closed */
    private OnnxTensor tensor(TensorData data, List<ByteBuffer> taken) throws OrtException {
        var bytes = data.floats() != null ? 4L * data.floats().length : data.longs() != null ? 8L * data.longs().length
            : data.booleans().length;
        var buffer = BUFFERS.take(bytes);
        taken.add(buffer);
        if (data.floats() != null) {
            return OnnxTensor.createTensor(environment, buffer.asFloatBuffer().put(data.floats()).flip(), data.shape());
        }
        if (data.longs() != null) {
            return OnnxTensor.createTensor(environment, buffer.asLongBuffer().put(data.longs()).flip(), data.shape());
        }
        for (var value : data.booleans()) {
            buffer.put((byte) (value ? 1 : 0));
        }
        return OnnxTensor.createTensor(environment, buffer.flip(), data.shape(), OnnxJavaType.BOOL);
    }

    private static TensorData data(OnnxTensor tensor) {
        var info = tensor.getInfo();
        switch (info.type) {
            case FLOAT -> {
                var floats = new float[Math.toIntExact(info.getNumElements())];
                tensor.getFloatBuffer().get(floats);
                return new TensorData("float32", info.getShape(), floats, null, null);
            }
            case INT64 -> {
                var longs = new long[Math.toIntExact(info.getNumElements())];
                tensor.getLongBuffer().get(longs);
                return new TensorData("int64", info.getShape(), null, longs, null);
            }
            case BOOL -> {
                var raw = tensor.getByteBuffer();
                var booleans = new boolean[Math.toIntExact(info.getNumElements())];
                for (int i = 0; i < booleans.length; i++) {
                    booleans[i] = raw.get(i) != 0;
                }
                return new TensorData("bool", info.getShape(), null, null, booleans);
            }
            default -> throw new IllegalStateException("The model gave a tensor of type " + info.type + ".");
        }
    }

    private static String firstLine(OrtException failure) {
        return String.valueOf(failure.getMessage()).split("\n", 2)[0].strip();
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException failure) {
            throw new IllegalStateException("ONNX Runtime: " + firstLine(failure) + ".", failure);
        }
    }
}
