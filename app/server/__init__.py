"""HTTP/1.1 below ASGI, on uvicorn: worker processes, connection limits, and the fast path of small predictions."""
