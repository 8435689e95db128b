"""The protocols of model servers over gRPC, beside HTTP. Its packages are optional: `pip install '.[grpc]'`."""
