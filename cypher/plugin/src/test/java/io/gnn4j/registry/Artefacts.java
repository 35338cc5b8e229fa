// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import io.gnn4j.artefact.CanonicalJson;
import io.gnn4j.artefact.Golden;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** The artefact that was worked by hand, and variations of it. */
public final class Artefacts {
    public static final byte[] MANIFEST = Golden.bytes("item_propagation/manifest.json");
    public static final byte[] MODEL = Golden.bytes("item_propagation/model.onnx");
    public static final byte[] VECTORS = Golden.bytes("item_propagation/vectors.arrow");

    private Artefacts() {}

    public static byte[] core() {
        return zip(ZipEntry.STORED, "manifest.json", MANIFEST, "model.onnx", MODEL);
    }

    /** The same model with another number in its manifest, so another artefact. */
    public static byte[] otherCore(int seed) {
        return zip(ZipEntry.STORED, "manifest.json", edited("\"seed\":1", "\"seed\":" + seed), "model.onnx", MODEL);
    }

    /** The manifest with one text replaced by another, and canonical again. */
    public static byte[] edited(String from, String to) {
        var text = new String(MANIFEST, StandardCharsets.UTF_8);
        if (!text.contains(from)) {
            throw new IllegalArgumentException("The manifest has no " + from);
        }
        return CanonicalJson.write(CanonicalJson.parse("test", text.replace(from, to).getBytes(StandardCharsets.UTF_8)));
    }

    /** @param namesAndBytes a name, its bytes, a name, … */
    public static byte[] zip(int method, Object... namesAndBytes) {
        var sink = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(sink)) {
            for (int i = 0; i < namesAndBytes.length; i += 2) {
                var bytes = (byte[]) namesAndBytes[i + 1];
                var entry = new ZipEntry((String) namesAndBytes[i]);
                entry.setMethod(method);
                if (method == ZipEntry.STORED) {
                    var crc = new CRC32();
                    crc.update(bytes);
                    entry.setSize(bytes.length);
                    entry.setCrc(crc.getValue());
                }
                zip.putNextEntry(entry);
                zip.write(bytes);
                zip.closeEntry();
            }
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return sink.toByteArray();
    }
}
