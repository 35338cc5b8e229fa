// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.job;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The server's secret, by which it knows the jobs it made itself.
 *
 * <p>In Community anyone may write a job node. Such a node must give nobody anything: what a worker does is sealed by a
 * keyed hash over the frozen job, and so is the hash of a lease's token. The key lies in a file of the server, where no
 * Cypher reaches it, so that jobs outlive a restart; it never enters the database.
 */
public final class JobKey {
    private static final String ALGORITHM = "HmacSHA256";
    private static final int BYTES = 32;
    private static final int TOKEN_BYTES = 16;

    private final SecretKeySpec key;
    private final SecureRandom random = new SecureRandom();

    private JobKey(byte[] secret) {
        key = new SecretKeySpec(secret, ALGORITHM);
    }

    /** A key of this process alone: jobs sealed with it are strangers after a restart. */
    public static JobKey temporary() {
        return new JobKey(secret());
    }

    /**
     * The key of a file, made when there is none, readable by the server's user only.
     *
     * @throws IOException when it can be neither read nor made
     */
    public static JobKey of(Path file) throws IOException {
        if (!Files.exists(file)) {
            Files.createDirectories(file.getParent());
            // A temporary file is its user's alone where the file system knows users; it appears under its name whole.
            var made = Files.createTempFile(file.getParent(), "jobs", ".new");
            Files.write(made, secret());
            Files.move(made, file, StandardCopyOption.ATOMIC_MOVE);
        }
        var secret = Files.readAllBytes(file);
        if (secret.length != BYTES) {
            throw new IOException(file.getFileName() + " has " + secret.length + " bytes, where a key has " + BYTES
                + "; remove it, and jobs that are open must be submitted again");
        }
        return new JobKey(secret);
    }

    private static byte[] secret() {
        var bytes = new byte[BYTES];
        new SecureRandom().nextBytes(bytes);
        return bytes;
    }

    /** The seal of some texts in their order; null differs from the empty text, and no two lists share what is hashed. */
    public String seal(List<String> texts) {
        try {
            var mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            for (var text : texts) {
                var bytes = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
                mac.update((text == null ? "-" : String.valueOf(bytes.length)).getBytes(StandardCharsets.US_ASCII));
                mac.update((byte) ':');
                mac.update(bytes);
            }
            return HexFormat.of().formatHex(mac.doFinal());
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException(impossible); // every Java platform has HmacSHA256
        }
    }

    public boolean holds(String seal, List<String> texts) {
        return seal != null && same(seal, seal(texts));
    }

    /** A token that nobody can guess: the attempt and 128 random bits. */
    public String token(long attempt) {
        var bytes = new byte[TOKEN_BYTES];
        random.nextBytes(bytes);
        return attempt + "-" + HexFormat.of().formatHex(bytes);
    }

    /** What the node keeps of a token. Without the key nobody can make one that fits a token of their own. */
    public String tokenHash(String jobId, long attempt, String token) {
        return seal(List.of("token", jobId, String.valueOf(attempt), token));
    }

    public boolean isToken(String hash, String jobId, long attempt, String token) {
        return hash != null && token != null && same(hash, tokenHash(jobId, attempt, token));
    }

    private static boolean same(String left, String right) {
        return MessageDigest.isEqual(left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
    }
}
