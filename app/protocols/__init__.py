"""Other projects' protocols, without HTTP: their requests and responses as JSON and tensors."""
