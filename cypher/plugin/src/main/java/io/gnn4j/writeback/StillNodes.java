// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.writeback;

import static org.neo4j.token.api.TokenConstants.NO_TOKEN;

import org.neo4j.exceptions.KernelException;
import org.neo4j.graphdb.ConstraintViolationException;
import org.neo4j.graphdb.Transaction;
import org.neo4j.internal.kernel.api.NodeCursor;
import org.neo4j.internal.kernel.api.PropertyCursor;
import org.neo4j.internal.kernel.api.Read;
import org.neo4j.internal.kernel.api.Write;
import org.neo4j.internal.kernel.api.exceptions.EntityNotFoundException;
import org.neo4j.internal.kernel.api.exceptions.schema.ConstraintValidationException;
import org.neo4j.kernel.api.KernelTransaction;
import org.neo4j.kernel.impl.coreapi.InternalTransaction;
import org.neo4j.storageengine.api.PropertySelection;
import org.neo4j.values.storable.IntegralValue;
import org.neo4j.values.storable.Value;
import org.neo4j.values.storable.Values;

/**
 * Sets properties of nodes that are still what somebody took them for: by kernel cursors, which read label and key in one look at
 * a node, and by tokens that are looked up once a transaction. What the caller may not do, this may not do either.
 */
final class StillNodes implements AutoCloseable {
    /** What became of a node. */
    enum Found { MISSING, CHANGED, SAME }

    private final KernelTransaction kernel;
    private final Read read;
    private final Write write;
    private final NodeCursor node;
    private final PropertyCursor property;
    private final int label;
    private final boolean keyed;
    /** Null where nobody has such a property. */
    private final PropertySelection key;

    /** @param keyProperty null compares no key */
    StillNodes(Transaction transaction, String label, String keyProperty) {
        kernel = ((InternalTransaction) transaction).kernelTransaction();
        read = kernel.dataRead();
        try {
            write = kernel.dataWrite();
        } catch (KernelException refused) {
            throw new ConstraintViolationException(refused.getMessage(), refused);
        }
        this.label = kernel.tokenRead().nodeLabel(label);
        keyed = keyProperty != null;
        int token = keyed ? kernel.tokenRead().propertyKey(keyProperty) : NO_TOKEN;
        key = token == NO_TOKEN ? null : PropertySelection.selection(token);
        node = kernel.cursors().allocateNodeCursor(kernel.cursorContext(), kernel.memoryTracker());
        property = kernel.cursors().allocatePropertyCursor(kernel.cursorContext(), kernel.memoryTracker());
    }

    /** @param sent the key the node had; null where it had none */
    Found find(long id, Object sent) {
        read.singleNode(id, node);
        if (!node.next()) {
            return Found.MISSING;
        }
        if (label == NO_TOKEN || !node.hasLabel(label)) {
            return Found.CHANGED;
        }
        return !keyed || same(stored(), sent) ? Found.SAME : Found.CHANGED;
    }

    private Value stored() {
        if (key == null) {
            return Values.NO_VALUE;
        }
        node.properties(property, key);
        return property.next() ? property.propertyValue() : Values.NO_VALUE;
    }

    private static boolean same(Value stored, Object sent) {
        if (stored instanceof IntegralValue whole) {
            return sent instanceof Number number && !(sent instanceof Double) && !(sent instanceof Float)
                && number.longValue() == whole.longValue();
        }
        return stored == Values.NO_VALUE ? sent == null : stored.asObject().equals(sent);
    }

    /** The token of a property, made where there is none. */
    int token(String name) {
        try {
            return kernel.tokenWrite().propertyKeyGetOrCreateForName(name);
        } catch (KernelException refused) {
            throw new ConstraintViolationException(refused.getMessage(), refused);
        }
    }

    /**
     * @param value null removes
     * @return false where the node went meanwhile
     */
    boolean set(long id, int token, Object value) {
        try {
            if (value == null) {
                write.nodeRemoveProperty(id, token);
            } else {
                write.nodeSetProperty(id, token, Values.of(value, false));
            }
            return true;
        } catch (EntityNotFoundException gone) {
            return false;
        } catch (ConstraintValidationException broken) {
            throw new ConstraintViolationException(broken.getUserMessage(kernel.tokenRead()), broken);
        }
    }

    /** To be closed before the transaction commits. */
    @Override
    public void close() {
        node.close();
        property.close();
    }
}
