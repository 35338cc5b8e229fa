"""Any ``torch.nn.Module`` to a checked ONNX artefact, and running one with ONNX Runtime.

A leaf: imports no other room of this repository, so it works for anyone's model.
"""
