"""Load on one route by ``wrk``, which takes little of the processor that the server is to have."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONNECTIONS: Final = 32

_SCRIPT: Final = """
local requests = {}
local next_one = 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, nil, line)
  end
end
function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer TOKEN"
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\\nMEASURED {"requests": %d, "us": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server made of a load. ``refused`` are answers that were no 200, ``broken`` requests without an answer."""

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int


def put_load(url: str, bodies: Sequence[str], seconds: int, *, token: str = "", connections: int = CONNECTIONS) -> Load:
    """Sends the bodies in turn on all connections at once, for so many seconds."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("this measurement needs wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        script, lines = Path(folder) / "post.lua", Path(folder) / "bodies"
        script.write_text(_SCRIPT.replace("TOKEN", token))
        lines.write_text("\n".join(bodies) + "\n")
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url, "--", str(lines)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured = json.loads(printed.rpartition("MEASURED ")[2])
    return Load(
        requests=measured["requests"],
        rate=measured["requests"] / measured["us"] * 1e6,
        p50_ms=measured["p50"] / 1000,
        p99_ms=measured["p99"] / 1000,
        refused=measured["refused"],
        broken=measured["broken"],
    )
