"""Messages of the protocols over gRPC: their definitions, and the code that `make stubs` generates from them.

The definitions are public. The names and numbers of their fields are what clients and servers of a protocol share.
"""
