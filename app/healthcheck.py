"""Checks that the service in this container is ready: `python -m app.healthcheck` exits with status 1 if it is not."""

import os
import sys
import urllib.error
import urllib.request

_TIMEOUT_SECONDS = 2


def main() -> None:
    """Send one request to `/health/ready`, and exit with a message if the answer is not 200."""
    url = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health/ready"
    try:
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"{url} answered {error.code}: {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{url} did not answer: {error}")


if __name__ == "__main__":
    main()
