// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.web;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * The pages for Neo4j Browser that lie in the plugin's jar: guide, style, saved queries.
 *
 * <p>Reads resources only: never the disk, never the database. A name is served when it has the form of {@link #NAME},
 * which leaves no room for {@code ..}, backslashes or encoded separators, and its ending is known.
 */
final class StaticFiles {
    /** Where the build puts {@code cypher/browser}. */
    static final String ROOT = "/gnn4j/browser/";

    /** Where the pages say they are; replaced by where they are, for a server's port may be another one. */
    static final String DEFAULT_ADDRESS = "http://localhost:7474/gnn/";

    /** Names of all saved queries, one a line, in the order in which they are shown. */
    static final String QUERY_LIST = "queries/queries.txt";

    /** All saved queries in one file, as Neo4j Browser imports them; made from the others, not stored. */
    static final String QUERY_ARCHIVE = "queries.zip";

    private static final Pattern NAME = Pattern.compile("(?:[a-z][a-z0-9_]*/)?[a-z][a-z0-9_]*\\.([a-z]+)");

    /** An address that may enter a page: nothing that HTML or Cypher would read as anything else. */
    private static final Pattern ADDRESS = Pattern.compile("https?://[A-Za-z0-9.-]+(?::[0-9]+)?/[a-z]+/");

    private static final Map<String, String> TYPES = Map.of(
        "html", "text/html; charset=utf-8",
        "css", "text/css; charset=utf-8",
        "grass", "text/plain; charset=utf-8",
        "cypher", "text/plain; charset=utf-8",
        "txt", "text/plain; charset=utf-8",
        "svg", "image/svg+xml",
        "png", "image/png",
        "zip", "application/zip");

    /** Every entry of the archive has this time, so that the same pages give the same bytes; ZIP begins in 1980. */
    private static final LocalDateTime ENTRY_TIME = LocalDateTime.of(1980, 2, 1, 0, 0);

    private StaticFiles() {}

    /**
     * @param type the media type
     * @param content the bytes
     */
    record Page(String type, byte[] content) {}

    /**
     * The page of a name relative to {@code /gnn/}; the index for the empty name.
     *
     * @param address under which the pages were asked for, ending in a slash; one of a doubtful form is not used
     * @return empty when there is none
     */
    static Optional<Page> find(String name, String address) {
        var wanted = name.isEmpty() ? "index.html" : name;
        var match = NAME.matcher(wanted);
        if (!match.matches() || !TYPES.containsKey(match.group(1))) {
            return Optional.empty();
        }
        var type = TYPES.get(match.group(1));
        if (wanted.equals(QUERY_ARCHIVE)) {
            return Optional.of(new Page(type, queryArchive()));
        }
        var content = resource(wanted);
        return wanted.endsWith(".html") && ADDRESS.matcher(address).matches()
            ? content.map(html -> new Page(type, at(address, html)))
            : content.map(bytes -> new Page(type, bytes));
    }

    private static byte[] at(String address, byte[] html) {
        var text = new String(html, StandardCharsets.UTF_8);
        return text.replace(DEFAULT_ADDRESS, address).getBytes(StandardCharsets.UTF_8);
    }

    /** Names of the saved queries, without folder and ending. */
    static List<String> queries() {
        var list = new String(required(QUERY_LIST), StandardCharsets.UTF_8);
        return Arrays.stream(list.split("\n")).map(String::strip).filter(line -> !line.isEmpty()).toList();
    }

    private static byte[] queryArchive() {
        var bytes = new ByteArrayOutputStream();
        try (var zip = new ZipOutputStream(bytes, StandardCharsets.UTF_8)) {
            for (var query : queries()) {
                // Browser shows the folder as a folder of favourites.
                var entry = new ZipEntry("gnn4j/" + query + ".cypher");
                entry.setTimeLocal(ENTRY_TIME);
                zip.putNextEntry(entry);
                zip.write(required("queries/" + query + ".cypher"));
                zip.closeEntry();
            }
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        return bytes.toByteArray();
    }

    private static byte[] required(String name) {
        return resource(name).orElseThrow(() -> new IllegalStateException("The jar lacks " + ROOT + name + "."));
    }

    private static Optional<byte[]> resource(String name) {
        try (var stream = StaticFiles.class.getResourceAsStream(ROOT + name)) {
            return stream == null ? Optional.empty() : Optional.of(stream.readAllBytes());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
