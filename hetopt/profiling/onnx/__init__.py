"""ONNX model files: their operators, what each computes and moves, and where a model may be cut."""
