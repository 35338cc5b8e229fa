// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.graph;

/** Name and type of a node property. */
public record PropertySpec(String name, PropertyType type) {}
