// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.registry;

import java.util.List;
import java.util.Map;

/**
 * One version as the registry's nodes describe it.
 *
 * @param partsMissing {@code {file, index}} of each piece that has not arrived
 * @param aliases that point to it, ascending
 */
public record ModelInfo(
    String name,
    long version,
    ModelState state,
    List<String> aliases,
    String contract,
    String sha256,
    Map<String, Object> task,
    List<Object> metrics,
    Long dimension,
    String similarity,
    String embeddingProperty,
    String contextProperty,
    String vectorIndex,
    Long createdAt,
    Long vectorsAt,
    List<Map<String, Object>> partsMissing) {}
