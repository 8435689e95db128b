"""HTTP/1.1 below ASGI, on uvicorn: worker processes, limits of a connection, and the fast path of small predictions."""
