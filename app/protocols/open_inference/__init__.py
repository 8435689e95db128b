"""The Open Inference Protocol, version 2, of KServe and Triton, without HTTP.

The protocol: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
Triton's extensions: https://github.com/triton-inference-server/server/tree/main/docs/protocol
"""
