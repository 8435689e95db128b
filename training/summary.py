"""Summarises a network by its graph: the layers, the parameters and the multiply-adds. Knows no kind of network."""

from collections.abc import Callable, Collection, Sequence

import tensorflow as tf

WEIGHTED = {"Conv2D", "MatMul"}
"""The types of the operations that multiply by weights."""


def describe_layers(network: Callable[[tf.Tensor], tf.Tensor]) -> str:
    """Describe the layers of a classifier in one line, such as `conv 5x5x32/2 - max-pool 2x2 - dense 10`.

    A convolution has the height and width of its kernel, its channels and, if it is not 1, its stride.
    """
    return " - ".join(map(_describe_layer, _list_operations(network, (28, 28), {*WEIGHTED, "MaxPool"})))


def _describe_layer(layer: tf.Operation) -> str:
    if layer.type == "MaxPool":
        _, height, width, _ = layer.get_attr("ksize")
        return f"max-pool {height}x{width}"
    *kernel, channels = layer.inputs[1].shape
    if layer.type == "MatMul":
        return f"dense {channels}"
    stride = layer.get_attr("strides")[1]
    return f"conv {kernel[0]}x{kernel[1]}x{channels}" + (f"/{stride}" if stride > 1 else "")


def count_parameters(network: tf.Module) -> int:
    """Count the trainable parameters."""
    return sum(variable.shape.num_elements() for variable in network.trainable_variables)


def count_multiply_adds(network: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int] = (28, 28)) -> int:
    """Count the multiply-adds for one image of this shape, without biases."""
    return sum(
        layer.outputs[0].shape.num_elements() * layer.inputs[1].shape[:-1].num_elements()
        for layer in _list_operations(network, shape, WEIGHTED)
    )


def _list_operations(
    network: Callable[[tf.Tensor], tf.Tensor], shape: Sequence[int], types: Collection[str]
) -> list[tf.Operation]:
    """Return the operations of the graph that have one of these types, in order."""
    image = tf.TensorSpec([1, *shape], tf.float32)
    graph = tf.function(network).get_concrete_function(image).graph
    return [operation for operation in graph.get_operations() if operation.type in types]
