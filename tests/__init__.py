import os

# Before anything imports onnxruntime, which would report to its maker from every test run.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
