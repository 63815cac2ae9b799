"""What the benchmark scripts share: servers side by side, their CPU and memory, tables, charts.

The rules, so that pairs are fair: every server gets the same options and core 0, the client
core 1, where nothing else is said; while one server is measured the others are stopped; each server
starts a row with the same keys; the order of servers turns round after every round; what the server
did is checked; a sample during which other programs took the machine is taken again.
"""

import contextlib
import csv
import datetime
import os
import pathlib
import platform
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("APUS_CACHE") or ROOT / ".cache")
RESULTS = ROOT / "Benchmarks/results"
SERVER_CORE, CLIENT_CORE = 0, min(1, (os.cpu_count() or 1) - 1)
OPTIONS = {
    "save": "", "appendonly": "no", "io-threads": "1", "protected-mode": "no",
    "maxclients": "20000", "bind": "127.0.0.1", "loglevel": "warning", "hz": "10",
}
APPEND_ONLY = {
    "appendonly": "yes", "appendfsync": "everysec", "auto-aof-rewrite-percentage": "0",
}
NOISE_LIMIT = 0.05  # cores that other programs may take during a sample
NOISE_RETRIES = 2


class Connection:
    """A blocking RESP2 connection, enough for INFO and checks."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        parts = [str(word).encode() for word in words]
        self.socket.sendall(
            b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
        )
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2].decode("latin-1")
        return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.socket.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server under measurement, running from `start` to `stop`."""

    def __init__(self, name, binary):
        self.name, self.binary = name, str(binary)
        self.process = None
        self.holds = None  # the preload it has in memory, None when unknown
        self.cores = {SERVER_CORE}

    def start(self):
        """Starts it in a fresh folder; returns the seconds from exec to the first PONG."""
        self.folder = tempfile.mkdtemp(prefix="apus-bench-")
        return self.launch()

    def restart(self):
        """Ends it at once and starts it on what is in its folder; returns as `start`."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        return self.launch()

    def launch(self):
        self.port = free_port()
        options = {**OPTIONS, "port": self.port, "dir": self.folder}
        words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        self.log = open(pathlib.Path(self.folder, "log"), "ab+")
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

        def prepare():
            os.sched_setaffinity(0, self.cores)
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

        started = time.perf_counter()
        self.process = subprocess.Popen(
            [self.binary, *words], preexec_fn=prepare, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
        )
        self.command = None
        while True:
            try:
                self.command = self.command or Connection(self.port)
                if self.command("PING") == "PONG":
                    break
            except (ConnectionRefusedError, ConnectionResetError):
                self.command = None
            except RuntimeError as error:
                if not str(error).startswith("LOADING"):
                    raise
            if self.process.poll() is not None or time.perf_counter() - started > 60:
                self.log.seek(0)
                text = self.log.read().decode(errors="replace")
                self.stop()
                sys.exit(f"{self.name} ({self.binary}) does not start:\n{text}")
            time.sleep(0.0002)
        seconds = time.perf_counter() - started
        info = self.info("server")
        self.version = info.get("apus_version") or info.get("valkey_version") or info.get("redis_version") or "?"
        return seconds

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def proceed(self):
        self.process.send_signal(signal.SIGCONT)

    def info(self, section):
        with contextlib.suppress(RuntimeError):
            lines = (self.command("INFO", section) or "").splitlines()
            return dict(line.split(":", 1) for line in lines if ":" in line)
        return {}

    def calls(self):
        """What INFO commandstats has counted: name → (calls, rejected and failed calls)."""
        found = {}
        for name, line in self.info("commandstats").items():
            if name.startswith("cmdstat_"):
                fields = dict(field.split("=") for field in line.split(","))
                failed = int(fields.get("rejected_calls", 0)) + int(fields.get("failed_calls", 0))
                found[name[8:]] = (int(fields["calls"]), failed)
        return found

    def cpu(self):
        """CPU seconds of all threads so far, also of those that have ended, to the nanosecond."""
        # The kernel's clock of a process: what clock_getcpuclockid(3) makes of its id.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def memory(self, field="Pss"):
        """Bytes of the process, by the kernel's account."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as rollup:
            for line in rollup:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise ValueError(field)


# MARK: servers


def peers(folder):
    """The installed redis-server, and what Scripts/peers installed."""
    found = []
    if shutil.which("redis-server"):
        found.append(("redis-7", shutil.which("redis-server")))
    for name, program in (("redis-8", "redis-server"), ("valkey-9", "valkey-server")):
        if (folder / program).exists():
            found.append((name, folder / program))
    return [Server(name, binary) for name, binary in found]


def own_binary():
    binary = pathlib.Path(
        os.path.abspath(os.environ.get("APUS_BINARY") or ROOT / ".build/release/apus-server")
    )
    if not os.access(binary, os.X_OK):
        sys.exit(f"no server at {binary}; 'make release' builds one")
    return binary


def peers_folder(argument):
    return pathlib.Path(argument or os.environ.get("APUS_PEERS") or CACHE / "peers").absolute()


@contextlib.contextmanager
def running(servers):
    """All started, all paused but the one under `alone`."""
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.pause()
        yield
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def alone(server):
    server.proceed()
    try:
        yield
    finally:
        server.pause()


# MARK: load


def resp(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def feed(server, chunks):
    """Sends commands, each answered in one line, as fast as it goes; returns how many."""
    pipe = socket.create_connection(("127.0.0.1", server.port), 300)
    state = {"lines": 0, "error": None}

    def drain():
        rest = b"\n"
        while data := pipe.recv(1 << 18):
            if state["error"] is None and (at := (rest + data).find(b"\n-")) >= 0:
                state["error"] = (rest + data)[at + 1 : at + 200].split(b"\r")[0].decode()
            state["lines"] += data.count(b"\n")
            rest = data[-1:]

    reader = threading.Thread(target=drain)
    reader.start()
    for chunk in chunks:
        pipe.sendall(chunk)
    pipe.shutdown(socket.SHUT_WR)
    reader.join()
    pipe.close()
    if state["error"]:
        raise RuntimeError(f"{server.name}: {state['error']}")
    return state["lines"]


# Subscribes with many connections, says so, and reads until it is killed.
LISTENERS = """
import selectors, socket, sys
port, count, channel = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
selector = selectors.DefaultSelector()
for _ in range(count):
    pipe = socket.create_connection(("127.0.0.1", port))
    pipe.sendall(b"SUBSCRIBE %s\\r\\n" % channel)
    pipe.recv(1000)
    selector.register(pipe, selectors.EVENT_READ)
print("ready", flush=True)
room = bytearray(1 << 16)
while True:
    for key, _ in selector.select():
        if not key.fileobj.recv_into(room): sys.exit()
"""


@contextlib.contextmanager
def listening(server, count, channel):
    """Lets `count` subscribers read a channel, on the client's core; yields their process."""
    if count == 0:
        yield None
        return
    process = subprocess.Popen(
        [sys.executable, "-c", LISTENERS, str(server.port), str(count), channel],
        stdout=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    )
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{server.name}: the subscribers did not get ready")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def batches(commands, size=1000):
    """Joins single commands into chunks worth a system call."""
    batch = []
    for command in commands:
        batch.append(command)
        if len(batch) == size:
            yield b"".join(batch)
            batch.clear()
    yield b"".join(batch)


def stored(name, commands):
    """The chunks of a generator, rendered once into a file: every server gets the same bytes."""
    path = CACHE / "bench" / f"{name}.resp"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path.with_suffix(".part"), "wb") as file:
            for chunk in batches(commands()):
                file.write(chunk)
        path.with_suffix(".part").rename(path)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 18):
            yield chunk


def seeded(name):
    return random.Random(f"apus {name}")


def text(source, length):
    return b"%0*x" % (length, source.getrandbits(4 * length))


# MARK: samples


def busy_seconds():
    """CPU seconds spent by anyone on the machine, stolen time included."""
    fields = [int(word) for word in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def helper_seconds(pid):
    """CPU seconds of a process that helps the client; 0 without one."""
    if pid is None:
        return 0.0
    return int(open(f"/proc/{pid}/schedstat").read().split()[0]) / 1e9


def measure(server, command, helper=None):
    """Runs a client command pinned to its core; CPU, wall time and the noise around.

    What the process `helper` uses meanwhile is the client's too.
    """
    helped = helper_seconds(helper)
    busy, cpu, wall = busy_seconds(), server.cpu(), time.perf_counter()
    client = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    )
    output = client.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu, busy = time.perf_counter() - wall, server.cpu() - cpu, busy_seconds() - busy
    client_cpu = usage.ru_utime + usage.ru_stime + helper_seconds(helper) - helped
    return {
        "output": output, "status": client.returncode, "wall": wall, "cpu": cpu,
        "server_share": cpu / wall, "client_share": client_cpu / wall,
        "noise": max(0.0, (busy - cpu - client_cpu) / wall),
    }


def quiet(sample):
    """Calls `sample` until it was undisturbed, at most three times."""
    for attempt in range(NOISE_RETRIES + 1):
        result = sample()
        if result["noise"] <= NOISE_LIMIT:
            break
    return result


# MARK: reports


def machine():
    """Lines that say where and when, for the head of a report."""
    model = "?"
    with contextlib.suppress(OSError):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    system = "?"
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "system": f"{system}, kernel {platform.release()}",
        "date": datetime.date.today().isoformat(),
    }


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                          capture_output=True, text=True)
    return done.stdout.strip() or "?"


def describe(server):
    return f"{server.version} ({commit()})" if server.name == "apus" else server.version


def write_samples(kind, facts, rows):
    """Raw samples as CSV, the facts as comment lines before."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"{stamp}-{kind}.csv"
    with open(path, "w", newline="") as file:
        for key, value in facts.items():
            file.write(f"# {key}: {value}\n")
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_samples(kind):
    """Facts and rows of the newest samples of a kind."""
    files = sorted(RESULTS.glob(f"*-{kind}.csv"))
    if not files:
        sys.exit(f"no samples of kind '{kind}' in {RESULTS}; measure first")
    facts, lines = {}, []
    for line in files[-1].read_text().splitlines():
        if line.startswith("# "):
            key, value = line[2:].split(": ", 1)
            facts[key] = value
        else:
            lines.append(line)
    return facts, list(csv.DictReader(lines))


def ratio(ours, theirs):
    """Median, least and largest of the ratios of paired rounds."""
    pairs = [a / b for a, b in zip(ours, theirs) if b]
    return (statistics.median(pairs), min(pairs), max(pairs)) if pairs else None


def head(facts):
    return "".join(f"- {key}: {value}\n" for key, value in facts.items())


def table(columns, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


# Ours first; colours that read on white and on black.
SHADES = ["#e8590c", "#5c7cfa", "#9775fa", "#20a4a4", "#868e96"]


def ratio_chart(title, unit, names, groups):
    """An SVG of horizontal bars: groups are (label, one figure a name, as text), the first name ours.

    One axis for all: how many times what the better of the others needs. The figures stand beside.
    """
    bar, gap, left, width, top = 10, 4, 215, 370, 70
    step = len(names) * bar + gap
    height = top + step * len(groups) + 4
    ratios = []
    for _, figures in groups:
        values = [float(figure) for figure in figures]
        ratios.append([value / min(values[1:]) for value in values])
    scale = width / max(max(row) for row in ratios)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" width="640" '
        f'height="{height}" role="img" aria-label="{title}">',
        "<style>text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-size:15px;font-weight:600}"
        ".s{fill:#6e7781}.v{font-size:9px}.l{stroke:#8b949e;stroke-width:.5}"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#8b949e}}</style>",
        f'<text class="t" x="10" y="20">{title}</text>',
    ]
    x = 10
    for index, name in enumerate(names):
        parts.append(
            f'<rect x="{x}" y="31" width="11" height="11" rx="2" fill="{SHADES[index % len(SHADES)]}"/>'
            f'<text x="{x + 16}" y="41">{name}</text>'
        )
        x += 40 + 8 * len(name)
    parts.append(
        f'<text class="s" x="10" y="60">figures: {unit}</text>'
        f'<text class="s" x="630" y="41" text-anchor="end">less is better</text>')
    for quarters in range(int(4 * width / scale) + 1):
        if quarters % 2 == 0:
            at, label = left + scale * quarters / 4, f"{quarters / 4:g}×"
            label += " the better" if quarters == 4 else ""
            parts.append(
                f'<text class="s v" x="{at:.1f}" y="60" text-anchor="middle">{label}</text>'
                f'<line class="l" x1="{at:.1f}" y1="65" x2="{at:.1f}" y2="{height}"/>')
    y = top
    for (label, figures), row in zip(groups, ratios):
        middle = y + len(names) * bar / 2 + 4
        parts.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{label}</text>')
        for index, figure in enumerate(figures):
            length = scale * row[index]
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 1}" rx="2" '
                f'fill="{SHADES[index % len(SHADES)]}"/>'
                f'<text class="v" x="{left + length + 4:.1f}" y="{y + bar - 2}">{figure}</text>'
            )
            y += bar
        y += gap
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(path, content):
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content)
    print(f"wrote {path}")
