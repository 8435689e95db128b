"""Asks the service of this container whether it is ready: `python -m app.healthcheck`, which exits 1 if not."""

import os
import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 2


def main() -> None:
    """Ask once."""
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health/ready"
    try:
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{url} did not answer: {error}")


if __name__ == "__main__":
    main()
