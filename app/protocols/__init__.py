"""Protocols of other inference servers, without HTTP: parses their requests and writes their responses."""
