"""Where the generated code registers its messages. Has no messages of its own.

TensorFlow and clients of the same protocols register messages with the same names in protobuf's default pool, and one
pool accepts a name only once.
"""

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
for _file in (any_pb2, wrappers_pb2):
    POOL.AddSerializedFile(_file.DESCRIPTOR.serialized_pb)
