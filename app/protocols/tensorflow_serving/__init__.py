"""The REST API of TensorFlow Serving, without HTTP.

The API: https://www.tensorflow.org/tfx/serving/api_rest
"""
