// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.web;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class StaticFilesTest {
    private static final String HERE = "http://localhost:7481/gnn/";

    @ParameterizedTest
    @CsvSource({
        "guide.html, text/html; charset=utf-8",
        "style.grass, text/plain; charset=utf-8",
        "page.css, text/css; charset=utf-8",
        "queries/recommend.cypher, text/plain; charset=utf-8",
        "queries.zip, application/zip",
    })
    void servesWhatIsInTheJarWithItsMediaType(String name, String type) {
        assertThat(StaticFiles.find(name, HERE)).hasValueSatisfying(page -> {
            assertThat(page.type()).isEqualTo(type);
            assertThat(page.content()).isNotEmpty();
        });
    }

    @Test
    void theEmptyNameIsTheIndex() {
        assertThat(text("")).isEqualTo(text("index.html")).contains("guide.html");
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "../guide.html", "queries/../guide.html", "/guide.html", "//guide.html", "./guide.html", "queries//recommend.cypher",
        "..\\guide.html", "%2e%2e/guide.html", "guide.html/", "guide.html\0.css", "guide", ".", "..", "queries", "queries/",
        "../../META-INF/MANIFEST.MF", "META-INF/MANIFEST.MF", "guide.class", "../io/gnn4j/web/StaticFiles.class",
        "missing.html", "GUIDE.HTML", "guide.html\n", "file:/etc/passwd", "a/b/c.html"})
    void refusesNamesOutsideItsFolder(String name) {
        assertThat(StaticFiles.find(name, HERE)).isEmpty();
    }

    @Test
    void pagesNameTheAddressUnderWhichTheyWereAskedFor() {
        assertThat(text("guide.html")).contains(":style " + HERE + "style.grass").doesNotContain(":7474");
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "http://localhost:1/gnn/\"><b>", "http://a b/gnn/", "javascript:alert(1)/gnn/", "http://x/gnn/<", "http://[::1]:7474/gnn/"})
    void anAddressOfADoubtfulFormDoesNotEnterThePage(String address) {
        var page = StaticFiles.find("guide.html", address).orElseThrow();
        assertThat(new String(page.content(), StandardCharsets.UTF_8)).contains(StaticFiles.DEFAULT_ADDRESS).doesNotContain(address);
    }

    @Test
    void theArchiveHoldsEverySavedQueryAndIsTheSameEachTime() throws IOException {
        var archive = StaticFiles.find("queries.zip", HERE).orElseThrow().content();
        var names = new ArrayList<String>();
        try (var zip = new ZipInputStream(new ByteArrayInputStream(archive))) {
            for (var entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                names.add(entry.getName());
                var single = entry.getName().replace("gnn4j/", "queries/");
                assertThat(zip.readAllBytes()).isEqualTo(StaticFiles.find(single, HERE).orElseThrow().content());
            }
        }
        assertThat(names).isEqualTo(StaticFiles.queries().stream().map(query -> "gnn4j/" + query + ".cypher").toList());
        assertThat(StaticFiles.find("queries.zip", HERE).orElseThrow().content()).isEqualTo(archive);
    }

    @Test
    void theListOfQueriesNamesEveryFileOfTheFolder() throws IOException {
        try (var files = Files.list(Path.of("../browser/queries"))) {
            List<String> stored = files.map(file -> file.getFileName().toString()).filter(name -> name.endsWith(".cypher"))
                .map(name -> name.replace(".cypher", "")).toList();
            assertThat(StaticFiles.queries()).containsExactlyInAnyOrderElementsOf(stored);
        }
    }

    private static String text(String name) {
        return new String(StaticFiles.find(name, HERE).orElseThrow().content(), StandardCharsets.UTF_8);
    }
}
