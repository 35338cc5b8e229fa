// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The files both languages read: {@code tests/golden} of the repository. */
public final class Golden {
    private static final Path ROOT = Path.of("..", "..", "tests", "golden");

    private Golden() {}

    public static byte[] bytes(String path) {
        try {
            return Files.readAllBytes(ROOT.resolve(path));
        } catch (IOException missing) {
            throw new UncheckedIOException(missing);
        }
    }
}
