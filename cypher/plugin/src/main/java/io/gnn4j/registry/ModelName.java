// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.regex.Pattern;

/** Names of models and aliases, and the property names made of them. */
public final class ModelName {
    private static final Pattern VALID = Pattern.compile("[A-Za-z0-9_]{1,64}");

    private ModelName() {}

    static boolean isValid(String name) {
        return name != null && VALID.matcher(name).matches();
    }

    /** @throws IllegalArgumentException unless the name matches {@code [A-Za-z0-9_]{1,64}} */
    public static String check(String what, String name) {
        if (!isValid(name)) {
            throw new IllegalArgumentException("A name of " + what + " has 1 to 64 of the characters A-Z, a-z, 0-9 and _, but '"
                + (name != null && name.length() > 80 ? name.substring(0, 80) + "…" : name) + "' was given.");
        }
        return name;
    }

    public static String property(String name, long version) {
        return "gnn_" + name + "_v" + version;
    }
}
