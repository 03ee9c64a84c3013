"""The samples of the socket benchmarks as tables; see report.py."""

from realtime import (AT_ONCE, MEMBERS, RATE, READERS, SLOW, SLOW_BODY, SPARE, WARM_UP_AT_ONCE,
                      Sizes)
from report import about_rounds, bars, ratios, span, table, values

MARKS = "<!-- sockets:begin -->", "<!-- sockets:end -->"

METHOD = """### How sockets are measured

`bench/run.py --sockets` needs a C compiler and a limit of open files of {files:,}. Everything is
on the loopback. The data is made through REST: {members:,} users, each with a token; small
conversations of {small}, of which each of the first {idle_users:,} users has three; at last one
with all {members:,}. Each scenario has a server of its own on this data, with the limits on
sockets raised and everything else at its default. The clients are one program with one loop and
one clock (`bench/sockets/`); they answer the heartbeat and keep their cursors. A client that is
refused or closed, a message that is not acknowledged or that does not reach everybody ends the run
without figures.

The bare program (`bench/bare_relay.c`) is one epoll loop that writes what it gets to all sockets
of a room: no rights, no tables, no cursors. It answers the same handshake, so the clients are the
same program, and its frames have the size of the server's. Server and bare program are measured in
turn in each round; a ratio is the median of the ratios of the rounds. A round during which other
programs took more than a tenth of the machine is repeated.

- Idle: memory is the kernel's `smaps_rollup` of the server: the memory of its own process, not the
  kernel's buffers. Before, each user connects once and reads his first page, {warm} at a time, so
  that the database's caches and the threads' memory are not counted as the sockets'. Then
  {idle_sockets:,} sockets of {idle_users:,} users, each in three conversations, connect, catch up
  and stay; 3 s and {idle_seconds} s after the last one is synced the memory is read again, and the
  larger figure counts. Heartbeats go on. What connecting left behind in the allocator is in it;
  how much that is can be seen from what stays when all have gone.
- Connect: {storm:,} sockets, one for each user. "New" ones have no cursor and read everything they
  may see, {at_once} at a time. In the storm all are closed at once and connect again at once with
  their cursors. The time ends when the last one is synced. The bare program has nothing to read.
- Latency: {rate:,} messages a second by `send` frames of {rooms} members into {rooms}
  conversations of {small}; from when each was due (not from when it was sent: the loop is open, a
  stall of the server or of the clients counts) to each of the {small} members' sockets. The bare
  program writes all that has come to a file, flushes it (`fdatasync`; one for all that wait,
  blocks allocated before), and then writes it to the ten sockets; it answers the sender nothing.
- Slow readers: {readers} members read as fast as they can, {slow} take 1,000 bytes a second
  through the smallest receive buffer, while messages of {slow_body:,} bytes come at 1 MB a second
  for {slow_seconds} s. Then the slow ones read on, and each must have all messages from where it
  was told to begin.
- Fan-out: one message to {members:,} members with a socket each (they connect with a cursor that
  leaves nothing to read), by POST on a kept-alive connection: from just before it is written to
  when the last socket has it; {messages} messages a round, {pause} ms apart. The server commits to
  the disk first, the bare loop does not.

| to look into it | command |
| --- | --- |
| one scenario | `bench/run.py --sockets --only fanout` (or `idle`, `connect`, `latency`, `slow`) |
| while changing code | `bench/run.py --sockets --quick --only latency` |
| by hand | `cc -std=c17 -D_GNU_SOURCE -O2 -o sockets bench/sockets/*.c`; see `main.c` there |
"""


def _each(result, field, when):
    """Bytes for each socket."""
    return 1e6 * (result[when][field] - result["before"][field]) / result["sockets"]


def _grown(result):
    """MB at the most beside the slow readers, above the most without them."""
    one = result["rounds"][0]
    return one["beside"]["most"]["rss_mb"] - one["alone"]["most"]["rss_mb"]


# As report.BARS.
BARS = [
    ("idle socket, bytes of the server's memory (RSS)", "idle",
     lambda r: [max(_each(r, "rss_mb", when) for when in ("after", "later"))],
     "{:,.0f}", "at most 2,000", lambda v: v <= 2000),
    ("one message to the last of all sockets, times the bare loop's", "fanout",
     lambda r: ratios(r, "confab", "bare", "last_p50_ms"), "{:.2f}", "at most 2",
     lambda v: v <= 2),
    ("send to delivered, p99, times the bare program's", "latency",
     lambda r: ratios(r, "confab", "bare", "delivery_p99_ms"), "{:.2f}", "at most 3",
     lambda v: v <= 3),
    ("p50", "latency",
     lambda r: ratios(r, "confab", "bare", "delivery_p50_ms"), "{:.2f}", "for comparison", None),
    ("p99.9", "latency",
     lambda r: ratios(r, "confab", "bare", "delivery_p999_ms"), "{:.2f}", "for comparison", None),
    ("memory grown by slow readers, MB", "slow", lambda r: [_grown(r)], "{:.1f}", "at most 16",
     lambda v: v <= 16),
    ("p99 of others beside slow readers, times that without", "slow",
     lambda r: ratios(r, "beside", "alone", "delivery_p99_ms"), "{:.2f}", "at most 1.5",
     lambda v: v <= 1.5),
]


def _idle(result):
    rows = []
    for label, when in (("before", "before"), ("3 s after the last was synced", "after"),
                        ("after a wait", "later"), ("10 s after all had gone", "gone")):
        sizes = result[when]
        each = "" if when in ("before", "gone") else f"{_each(result, 'rss_mb', when):,.0f}"
        rows.append([label, *(f"{sizes[field]:.1f}" for field in
                              ("rss_mb", "pss_mb", "anonymous_mb")), each])
    return table([f"{result['sockets']:,} sockets of {result['users']:,} users", "RSS MB", "PSS MB",
                  "of it anonymous MB", "bytes a socket"], rows)


def _rows(result, named, columns):
    """named: (label, series); columns: (field, form)."""
    return [[label, *(span(values(result, series, field), form) for field, form in columns)]
            for label, series in named]


def _connect(result):
    columns = (("rate", "{:,.0f}"), ("seconds", "{:.2f}"), ("sync_p50_ms", "{:.1f}"),
               ("sync_p99_ms", "{:.1f}"), ("bytes_each", "{:,.0f}"), ("cpu_us", "{:.0f}"))
    named = ((f"new, {result['at_once']} at a time", "confab"),
             ("the same, bare", "bare"), ("all come back at once", "confab_storm"),
             ("the same, bare", "bare_storm"))
    return table([f"{result['sockets']:,} sockets", "a second", "all, s", "p50 ms", "p99 ms",
                  "bytes each", "CPU µs each"], _rows(result, named, columns))


def _fanout(result):
    columns = [(f"{name}_p50_ms", "{:.2f}") for name in
               ("answer", "first", "last", "after_answer", "spread")]
    columns.append(("cpu_us", "{:.2f}"))
    size = result["rounds"][0]["confab"]["frame_size"]
    return table([f"frames of {size} bytes to {result['sockets']:,}", "POST to 201, ms",
                  "to the first socket", "to the last", "201 to the last", "first to last",
                  "CPU µs a socket"],
                 _rows(result, (("Confab", "confab"), ("bare loop", "bare")), columns))


def _latency(result):
    columns = [(f"delivery_{name}_ms", "{:.2f}") for name in ("p50", "p99", "p999", "max")]
    columns += [("late_p99_ms", "{:.2f}"), ("cpu_us", "{:.0f}")]
    rows = _rows(result, (("Confab", "confab"), ("bare program", "bare")), columns)
    acks = [(f"ack_{name}_ms", "{:.2f}") for name in ("p50", "p99", "p999", "max")]
    rows.append([*_rows(result, (("Confab, to the `ack`", "confab"),), acks)[0], "", ""])
    return table(["", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "sent late, p99 ms",
                  "CPU µs a message"], rows)


def _slow(result):
    one = result["rounds"][0]
    rows = []
    for label, name in (("without slow ones", "alone"), ("beside them", "beside")):
        got = one[name]
        rows.append([label, *(f"{got[f'delivery_{field}_ms']:.2f}"
                              for field in ("p50", "p99", "p999", "max")),
                     f"{got['most']['rss_mb']:.1f}", f"{got['most']['anonymous_mb']:.1f}"])
    back = result["caught_up"]
    rows.append([f"caught up in {back['seconds']:.1f} s, {back['bytes'] / 1e6:.1f} MB", "", "", "",
                 "", f"{result['after']['rss_mb']:.1f}", f"{result['after']['anonymous_mb']:.1f}"])
    return table(["the others", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "RSS MB, most",
                  "of it anonymous MB"], rows)


PARTS = [
    ("idle", "### Idle sockets", _idle),
    ("connect", "### Coming, and coming back", _connect),
    ("latency", "### Send to delivered", _latency),
    ("slow", "### Slow readers", _slow),
    ("fanout", "### One message to all members", _fanout),
]


def markdown(results):
    sizes = Sizes(quick="--quick" in results["command"])
    parts = [
        table(["machine", ""], [[key, value] for key, value in results["machine"].items()], "---"),
        about_rounds(results, f"medians of {results['runs']} rounds"),
        "### Targets for sockets", bars(results, BARS),
    ]
    for name, title, show in PARTS:
        if name in results:
            parts += [title, show(results[name])]
    parts.append(METHOD.format(
        files=sizes.idle_sockets + 2 * SPARE, members=sizes.members, small=MEMBERS,
        idle_users=sizes.idle_users, idle_sockets=sizes.idle_sockets, warm=WARM_UP_AT_ONCE,
        idle_seconds=sizes.idle_seconds, storm=sizes.storm, at_once=AT_ONCE,
        messages=sizes.messages, pause=sizes.pause_ms, rate=RATE, rooms=sizes.rooms,
        readers=READERS, slow=SLOW, slow_body=SLOW_BODY,
        slow_seconds=sizes.slow_seconds).rstrip())
    return "\n\n".join(parts)
