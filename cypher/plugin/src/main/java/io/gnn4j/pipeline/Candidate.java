// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.pipeline;

import java.util.Map;

/**
 * A model that may win.
 *
 * @param config hyper-parameters: single values, or {@code {range: [low, high]}}
 */
public record Candidate(String model, Map<String, Object> config) {}
