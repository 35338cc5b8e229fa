"""The slow twin of encoders over blocks: recursion over whole neighbourhoods, a node at a time."""

import numpy as np
import torch


class Recursion:
    """h of one node at a depth, straight from the equations of docs/feature-models.md, without blocks."""

    def __init__(self, kind, encoder, data):
        self.kind, self.encoder, self.schema = kind, encoder, encoder.schema
        self.columns = [
            (data.item_features.x, data.item_features.code),
            (data.user_features.x, data.user_features.code),
        ]
        dense = data.matrix.toarray() > 0
        bits = np.zeros(dense.shape, np.uint32)
        bits[data.user_index, data.matrix.indices] = data.kinds
        self.bits = bits

    def parts(self, module):
        return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}

    def senders(self, relation, receiver):
        behaviour, to_users = divmod(relation, 2)
        has = (self.bits >> behaviour) & 1
        return np.flatnonzero(has[receiver] if to_users else has[:, receiver])

    def entered(self, number, index):
        entry, p = self.encoder.inputs[number], self.parts(self.encoder.inputs[number])
        x, code = (part[index] for part in self.columns[number])
        found = p["constant"].copy()
        if len(x):
            missing = np.isnan(x)
            scaled = np.where(missing, 0, (x.astype(np.float64) - p["mean"]) / p["scale"])
            flags = [float(missing[p["group"][:, at] > 0].any()) for at in range(p["group"].shape[1])]
            found += p["dense.weight"] @ np.r_[scaled, flags]
        column = 0
        for at, feature in enumerate(entry.coded):
            entries = [one for one in code[column : column + feature.columns] if one >= 0]
            found += np.mean([p[f"tables.{at}"][one] for one in entries], axis=0)
            column += feature.columns
        return found

    def h(self, number, index, depth):
        if depth == 0:
            return self.entered(number, index)
        own = self.h(number, index, depth - 1)
        heard = []
        for relation in range(len(self.schema.relations)):
            if self.schema.target(relation) == number:
                source = self.schema.source(relation)
                rows = [self.h(source, one, depth - 1) for one in self.senders(relation, index)]
                heard.append((relation, source, np.array(rows).reshape(-1, 8)))
        found = getattr(self, self.kind)(self.parts(self.encoder.layers[depth - 1]), number, own, heard)
        last = depth == self.schema.layers
        return found if last else np.where(found > 0, found, np.expm1(np.minimum(found, 0)))

    def vector(self, number, index):
        found = self.h(number, index, self.schema.layers)
        return found / np.sqrt((found**2).sum())

    def graphsage(self, p, number, own, heard):
        found = p[f"own.{number}.weight"] @ own + p[f"own.{number}.bias"]
        for relation, _, rows in heard:
            if len(rows):
                found = found + p[f"sent.{relation}.weight"] @ rows.mean(0)
            found = found + np.log1p(len(rows)) * p[f"degree.{relation}"]
        return found

    def gat(self, p, number, own, heard):
        found = p[f"own.{number}.weight"] @ own + p[f"own.{number}.bias"]
        for relation, _, rows in heard:
            if not len(rows):
                continue
            sent = rows @ p[f"sent.{relation}.weight"].T
            for head in range(2):
                part = slice(4 * head, 4 * head + 4)
                score = (
                    sent[:, part] @ p[f"sender.{relation}"][part]
                    + p[f"receiver.{relation}.weight"][head] @ own
                )
                score = np.exp(np.where(score > 0, score, 0.2 * score))
                found[part] += (score / score.sum()) @ sent[:, part]
        return found

    def hgt(self, p, number, own, heard):
        def linear(name, which, rows):
            return rows @ p[f"{name}.{which}.weight"].T + p[f"{name}.{which}.bias"]

        query, summed = linear("query", number, own), np.zeros(8)
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            scores, values = [], []
            for relation, source, rows in heard:
                key = linear("key", source, rows)[:, part] @ p[f"attention.{relation}"][head]
                scores += list(key @ query[part] * p[f"prior.{relation}"][head] / 2.0)
                values += list(linear("value", source, rows)[:, part] @ p[f"message.{relation}"][head])
            if scores:
                weight = np.exp(np.array(scores))
                summed[part] = weight / weight.sum() @ np.array(values)
        gelu = torch.nn.functional.gelu(torch.from_numpy(summed)).numpy()
        gate = 1 / (1 + np.exp(-p[f"gate.{number}"]))
        return gate * linear("out", number, gelu) + (1 - gate) * own


class RecursionAround(Recursion):
    def __init__(self, kind, encoder, data):
        super().__init__(kind, encoder, data)
        self.around = data.surroundings
        self.columns += [(one.features.x, one.features.code) for one in self.around.nodes]

    def senders(self, relation, receiver):
        if relation < 4:
            return super().senders(relation, receiver)
        number, against = divmod(relation - 4, 2)
        pairs = self.around.relations[number].matrix.toarray()
        return np.flatnonzero(pairs[receiver] if against else pairs[:, receiver])
