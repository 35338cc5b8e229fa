// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;

/**
 * The zip that {@code gnn.model.load} takes: {@code manifest.json} and, where the contract has a network, {@code model.onnx},
 * stored, once each, plain files.
 *
 * <p>Nothing is ever inflated or unpacked, so neither a bomb nor a path can hide here. Directory and local headers must
 * tell the same story and cover the whole file: where they differ, two readers see two archives.
 */
public final class CoreZip {
    private static final List<String> KNOWN = List.of(Manifest.FILE, Manifest.MODEL_FILE);
    private static final int LOCAL = 0x04034b50;
    private static final int CENTRAL = 0x02014b50;
    private static final int END = 0x06054b50;
    private static final int END_BYTES = 22;
    private static final int UTF8_NAME = 0x800;
    /** What the zip's own records may take beside the files. */
    private static final long MAX_RECORDS = 64 << 10;

    private record Entry(String name, int method, int flags, long crc, long stored, long size, long at, int mode) {}

    private CoreZip() {}

    /**
     * @return the bytes of one file or both, by name
     * @throws ModelRefused with every fault found
     */
    public static Map<String, byte[]> read(byte[] zip) {
        if (zip.length > Manifest.MAX_CORE_BYTES + MAX_RECORDS) {
            throw refused("It has " + zip.length + " bytes; " + Manifest.FILE + " and " + Manifest.MODEL_FILE + " may have "
                + Manifest.MAX_CORE_BYTES + " together. The other parts of a model go through gnn.model.addPart.");
        }
        var in = ByteBuffer.wrap(zip).order(ByteOrder.LITTLE_ENDIAN);
        try {
            var entries = directory(in);
            var faults = faults(entries);
            if (!faults.isEmpty()) {
                throw new ModelRefused("the zip file", faults);
            }
            return contents(in, entries);
        } catch (IndexOutOfBoundsException | IllegalArgumentException | java.nio.BufferUnderflowException cutOff) {
            if (cutOff instanceof ModelRefused refused) {
                throw refused;
            }
            throw refused("It is cut off or damaged.");
        }
    }

    private static ModelRefused refused(String fault) {
        return new ModelRefused("the zip file", fault);
    }

    private static List<Entry> directory(ByteBuffer in) {
        var end = in.capacity() - END_BYTES;
        if (end < 0 || in.getInt(end) != END) {
            throw refused("It is no zip file, or it has a comment or other bytes at its end.");
        }
        int count = in.getShort(end + 10) & 0xffff;
        long size = in.getInt(end + 12) & 0xffffffffL;
        long start = in.getInt(end + 16) & 0xffffffffL;
        if (in.getShort(end + 4) != 0 || in.getShort(end + 6) != 0 || (in.getShort(end + 8) & 0xffff) != count
            || start + size != end || count > 100) {
            throw refused("Its directory is damaged, or of the 64-bit kind that an artefact never needs.");
        }
        var entries = new ArrayList<Entry>();
        var at = (int) start;
        for (int i = 0; i < count; i++) {
            if (in.getInt(at) != CENTRAL) {
                throw refused("Its directory is damaged.");
            }
            int nameLength = in.getShort(at + 28) & 0xffff;
            int rest = (in.getShort(at + 30) & 0xffff) + (in.getShort(at + 32) & 0xffff);
            var system = in.get(at + 5);
            var mode = system == 3 ? in.getInt(at + 38) >>> 16 : 0;
            entries.add(new Entry(name(in, at + 46, nameLength), in.getShort(at + 10) & 0xffff, in.getShort(at + 8) & 0xffff,
                in.getInt(at + 16) & 0xffffffffL, in.getInt(at + 20) & 0xffffffffL, in.getInt(at + 24) & 0xffffffffL,
                in.getInt(at + 42) & 0xffffffffL, mode));
            at += 46 + nameLength + rest;
        }
        if (at != end) {
            throw refused("Its directory is damaged.");
        }
        return entries;
    }

    private static String name(ByteBuffer in, int at, int length) {
        var bytes = new byte[length];
        in.get(at, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static List<String> faults(List<Entry> entries) {
        var faults = new ArrayList<String>();
        for (var name : KNOWN) {
            var count = entries.stream().filter(entry -> entry.name().equals(name)).count();
            // Whether there must be a network only the manifest can tell.
            if (count > 1 || count == 0 && name.equals(Manifest.FILE)) {
                faults.add(count == 0 ? "It has no " + name + "." : "It has " + name + " " + count + " times.");
            }
        }
        for (var entry : entries) {
            var shown = "The entry '" + printable(entry.name()) + "' ";
            if (!KNOWN.contains(entry.name())) {
                faults.add(shown + "does not belong here: the archive holds " + String.join(" and ", KNOWN)
                    + (entry.name().endsWith(".arrow") ? "; Arrow parts go through gnn.model.addPart (`gnn4j deploy` does both)." : "."));
            }
            if (entry.method() != 0 || entry.stored() != entry.size()) {
                faults.add(shown + "is compressed; an artefact is stored uncompressed.");
            }
            if ((entry.flags() & ~UTF8_NAME) != 0) {
                faults.add(shown + "is encrypted or written as a stream.");
            }
            if ((entry.mode() & 0xf000) != 0 && (entry.mode() & 0xf000) != 0x8000) {
                faults.add(shown + "is not a plain file.");
            }
        }
        var bytes = entries.stream().mapToLong(Entry::size).sum();
        if (bytes > Manifest.MAX_CORE_BYTES) {
            faults.add("Its entries have " + bytes + " bytes; " + Manifest.MAX_CORE_BYTES + " are allowed.");
        }
        return faults.stream().limit(20).toList();
    }

    private static Map<String, byte[]> contents(ByteBuffer in, List<Entry> entries) {
        var files = new TreeMap<String, byte[]>();
        var directory = in.getInt(in.capacity() - 6) & 0xffffffffL;
        var next = 0L;
        for (var entry : entries.stream().sorted(Comparator.comparingLong(Entry::at)).toList()) {
            if (entry.at() != next || in.getInt((int) entry.at()) != LOCAL) {
                throw refused("Its entries overlap, or bytes lie between them.");
            }
            var at = (int) entry.at();
            int nameLength = in.getShort(at + 26) & 0xffff;
            int extra = in.getShort(at + 28) & 0xffff;
            if (!name(in, at + 30, nameLength).equals(entry.name()) || (in.getShort(at + 8) & 0xffff) != entry.method()
                || (in.getShort(at + 6) & 0xffff) != entry.flags() || (in.getInt(at + 18) & 0xffffffffL) != entry.stored()
                || (in.getInt(at + 22) & 0xffffffffL) != entry.size()) {
                throw refused("The entry '" + printable(entry.name()) + "' is described differently in two places.");
            }
            var start = at + 30 + nameLength + extra;
            next = start + entry.size();
            if (next > directory) {
                throw refused("The entry '" + printable(entry.name()) + "' is longer than the file.");
            }
            var bytes = Arrays.copyOfRange(in.array(), start, (int) next);
            var crc = new CRC32();
            crc.update(bytes);
            if (crc.getValue() != entry.crc()) {
                throw refused("The entry '" + printable(entry.name()) + "' is damaged (checksum differs).");
            }
            files.put(entry.name(), bytes);
        }
        if (next != directory) {
            throw refused("Bytes lie between its last entry and its directory.");
        }
        return files;
    }

    private static String printable(String name) {
        var text = new StringBuilder();
        name.codePoints().limit(80).forEach(c -> text.appendCodePoint(Character.isISOControl(c) ? '?' : c));
        return text.toString();
    }
}
