"""The Open Inference Protocol, version 2, as KServe and Triton speak it, without HTTP: its requests and its answers.

The protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
Triton's extensions: https://github.com/triton-inference-server/server/tree/main/docs/protocol
"""
