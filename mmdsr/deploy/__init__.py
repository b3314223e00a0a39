"""Networks in other runtimes than torch: ONNX Runtime and OpenVINO."""
