"""The REST interface of TensorFlow Serving, without HTTP: its requests and its answers.

The interface: https://www.tensorflow.org/tfx/serving/api_rest
"""
