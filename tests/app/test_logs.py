import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from app.logs import configure_logging
configure_logging()
log = structlog.get_logger()
log.info("request", status=200, exc_info=None)
logging.getLogger("library").warning("said %s", "so")
log.debug("nothing")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("request", status=500, exc_info=error)
"""


def test_each_event_is_one_line_of_json_whoever_wrote_it() -> None:
    printed = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert printed.stderr == ""
    lines = {(line["event"], line["level"]): line for line in map(json.loads, printed.stdout.splitlines())}
    assert lines.keys() == {("request", "info"), ("said so", "warning"), ("request", "error")}
    assert lines["request", "info"]["status"] == 200
    assert "ZeroDivisionError" in lines["request", "error"]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines.values())
