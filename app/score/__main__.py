"""Scores pictures offline: `python -m app.score`. Imports little at the top: each process runs this file again."""

import sys
from importlib.util import find_spec

if __name__ == "__main__":
    if missing := [package for package in ("pyarrow", "tqdm") if find_spec(package) is None]:
        sys.exit(f"python -m app.score needs more packages, {' and '.join(missing)}: pip install '.[score]'")
    try:
        from app.score.command import main
    except KeyboardInterrupt:  # within the first second
        sys.exit(130)
    sys.exit(main())
