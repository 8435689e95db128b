"""Classify pictures with Digitserve: `python examples/client.py 7.png ...`. Needs httpx."""

import os
import sys
from pathlib import Path

import httpx

URL = os.environ.get("DIGITSERVE_URL", "http://127.0.0.1:8000")

with httpx.Client(base_url=URL, timeout=10) as client:
    for name in sys.argv[1:]:
        response = client.post("/predict", content=Path(name).read_bytes())
        answer = response.json()
        if response.is_error:
            print(f"{name}: {answer['title']}")
        elif answer["abstained"]:
            print(f"{name}: not sure ({answer['reason']}), perhaps {answer['digit']}")
        else:
            print(f"{name}: {answer['digit']} (confidence {answer['confidence']})")
