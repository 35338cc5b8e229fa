// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.artefact;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 as lower-case hexadecimal text. */
public final class Hash {
    private Hash() {}

    public static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible); // every Java platform has SHA-256
        }
    }

    public static String sha256(byte[] bytes) {
        return text(digest().digest(bytes));
    }

    public static String text(byte[] hash) {
        return HexFormat.of().formatHex(hash);
    }
}
