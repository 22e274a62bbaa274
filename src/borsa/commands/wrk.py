"""The load by wrk, a load generator in C that is known elsewhere. Most of what either load costs is the kernel's.

wrk asks a Lua script for every request, and does not say for which connection. So the requests of all connections are
sent in turn by whichever is free: the same mixture, each as often as the others.
"""

import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import msgspec

from borsa.commands.child import child
from borsa.commands.client import Unusable
from borsa.commands.load import Load, Measured, in_turn

ANSWER_SECONDS_MAX = 30
"""Later answers are not among wrk's latencies."""

ACCEPTED = (200, 201)

SCRIPT = r"""
local requests, count, at = {}, 0, 0
sent, answered = 0, {}

function setup(thread)
   sender = thread
end

function init()
   local sizes, all = io.open("sizes"), io.open("requests", "rb")
   for size in sizes:lines() do
      count = count + 1
      requests[count] = all:read(tonumber(size))
   end
end

function request()
   at = at % count + 1
   sent = sent + 1
   return requests[at]
end

function response(status)
   answered[status] = (answered[status] or 0) + 1
end

function done(summary, latency)
   local errors, statuses = summary.errors, {}
   for status, times in pairs(sender:get("answered")) do
      statuses[#statuses + 1] = string.format('"%d":%d', status, times)
   end
   io.write(string.format(
      '\n{"answered":{%s},"sent":%d,"microseconds":%d,"p50":%d,"p99":%d,"late":%d,"broken":%d}\n',
      table.concat(statuses, ","), sender:get("sent") - 1, summary.duration,
      latency:percentile(50), latency:percentile(99), errors.timeout, errors.connect + errors.read + errors.write))
end
"""
"""What wrk calls. `request` makes nothing, and `response` looks at the status alone: reading the answers to batches of
100 would cost wrk seven times all the rest. Of `sent` one is not: wrk looks at a request before it begins."""


class _Summary(msgspec.Struct, frozen=True):
    """The script's last word. `answered` by status; latencies in microseconds, as wrk corrects them: where one is more
    than twice the mean, it counts also those that would have been sent meanwhile."""

    answered: dict[int, int]
    sent: int
    microseconds: int
    p50: int
    p99: int
    late: int
    broken: int


def program() -> str:
    """Where wrk is; Unusable says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise Unusable(
            "wrk is not installed. On Debian and Ubuntu: sudo apt-get install wrk. Without it, --load own is there"
        )
    return found


def place(load: Load) -> Measured:
    """Place orders until the time is over. wrk does not wait for the last answers: those orders are placed, and do not
    count."""
    with tempfile.TemporaryDirectory(prefix="borsa-wrk-") as folder:
        _write(load, Path(folder))
        summary = _run(load, folder)
    if summary.broken:
        raise ConnectionResetError("the exchange closed a connection")
    if summary.late:
        raise Unusable(f"{summary.late} requests took longer than {ANSWER_SECONDS_MAX} s")
    refused = Counter({status: times for status, times in summary.answered.items() if status not in ACCEPTED})
    size = load.orders_in_request
    return Measured(
        orders=(sum(summary.answered.values()) - refused.total()) * size,
        sent=(summary.sent - refused.total()) * size,
        seconds=summary.microseconds / 1e6,
        p50_ms=summary.p50 / 1e3,
        p99_ms=summary.p99 / 1e3,
        refused=refused,
    )


def _write(load: Load, folder: Path) -> None:
    requests = in_turn(load.lanes)
    (folder / "script.lua").write_text(SCRIPT, encoding="ascii")
    (folder / "sizes").write_text("".join(f"{len(request)}\n" for request in requests), encoding="ascii")
    (folder / "requests").write_bytes(b"".join(requests))


def _run(load: Load, folder: str) -> _Summary:
    host = f"[{load.host}]" if ":" in load.host else load.host
    command = [
        program(),
        *("--threads", "1", "--connections", str(len(load.lanes)), "--duration", f"{load.seconds:.0f}s"),
        *("--timeout", f"{ANSWER_SECONDS_MAX}s", "--script", "script.lua", f"http://{host}:{load.port}"),
    ]
    pipe = subprocess.PIPE
    with child(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as wrk:
        said, complaints = wrk.communicate()
    last = said.rstrip().rpartition("\n")[2]
    try:
        return msgspec.json.decode(last, type=_Summary)
    except msgspec.DecodeError:
        raise Unusable(f"wrk failed: {complaints.strip() or last}") from None
