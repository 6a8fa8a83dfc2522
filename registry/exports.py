"""What users of other frameworks are told: how their model comes here. No framework in here."""

PAGE = "docs/formats.md"

ADVICE = {
    "pytorch": (
        "Export a PyTorch model to ONNX: torch.onnx.export(model.eval(), "
        '(torch.zeros(1, n_features),), "model.onnx", input_names=["X"], '
        'dynamic_axes={"X": {0: "rows"}}, dynamo=False), and upload that file; '
        f"{PAGE} has the whole recipe."
    ),
    "keras": (
        'Export a Keras model to ONNX: model.export("model.onnx", format="onnx"), or '
        'tf2onnx.convert.from_keras(model, output_path="model.onnx"), and upload that file; '
        f"{PAGE} has the whole recipe."
    ),
    "tensorflow": (
        "Export a TensorFlow model to ONNX: python -m tf2onnx.convert --saved-model FOLDER "
        f"--output model.onnx --opset 18, and upload that file; {PAGE} has the whole recipe."
    ),
}
ANY_OTHER = f"Export the model to ONNX and upload that; {PAGE} says which formats are served."
