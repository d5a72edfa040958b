"""nginx with a wait before each answer, for as long as a benchmark lasts."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

_CONFIG = """
{load}
{user}
daemon off;
pid {work}/nginx.pid;
error_log {work}/error.log warn;
worker_processes {workers};
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    tcp_nopush off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    open_file_cache max=20000 inactive=600s;
    open_file_cache_valid 600s;
    lua_shared_dict sent 1m;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=8192;
        root {root};
        rewrite "^/(?:[^/]+/)?u/.*/([^/]+)$" /$1 break;
        location / {{
            access_by_lua_block {{ ngx.sleep({latency}) }}
            log_by_lua_block {{
                ngx.shared.sent:incr("requests", 1, 0)
                ngx.shared.sent:incr("bytes", tonumber(ngx.var.body_bytes_sent), 0)
            }}
        }}
        location = /sent {{
            content_by_lua_block {{
                local sent = ngx.shared.sent
                ngx.say(sent:get("requests") or 0, " ", sent:get("bytes") or 0)
            }}
        }}
    }}
}}
"""
_MODULES = ("ndk_http_module", "ngx_http_lua_module")
_PACKAGES = ("nginx-light", "libnginx-mod-http-lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running nginx."""

    url: str
    pids: tuple[int, ...]

    def sent(self) -> tuple[int, int]:
        """Return how many requests it has answered so far, and with how many bytes of bodies."""
        with urlopen(f"{self.url}/sent", timeout=10) as answer:  # noqa: S310  # http, our own
            requests, size = answer.read().split()
        return int(requests), int(size)

    def cpu_seconds(self) -> float:
        """Return the CPU time its processes have used so far."""
        tick = os.sysconf("SC_CLK_TCK")
        used = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
        return used / tick


@contextmanager
def serving(
    root: Path, work: Path, *, latency_s: float = 0.03, workers: int = 2
) -> Iterator[Server]:
    """Serve `root` meanwhile; no URL need repeat.

    `/u/{anything}/{file}` is the file, too, and `/{bucket}/u/{anything}/{file}`.
    """
    modules = _nginx_modules()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    port = _free_port()
    config = work / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            load="\n".join(f"load_module {modules}/{name}.so;" for name in _MODULES),
            user="user root;" if os.geteuid() == 0 else "",  # else workers cannot see the files
            work=work,
            workers=workers,
            port=port,
            root=root,
            latency=latency_s,
        )
    )
    process = subprocess.Popen(["nginx", "-p", str(work), "-c", str(config)])
    try:
        _wait(process, port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Server(url=f"http://127.0.0.1:{port}", pids=tuple(int(pid) for pid in children))
    finally:
        process.terminate()
        process.wait()


def _nginx_modules() -> str:
    """Return the folder of nginx's modules, nginx installed if that may be."""
    if not _has_lua():
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            msg = (
                f"the benchmarks need nginx with its Lua module: install {' and '.join(_PACKAGES)}"
            )
            raise SystemExit(msg)
        print(f"installing {', '.join(_PACKAGES)} ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES]
        subprocess.run(install, check=True, env=quiet, stdout=subprocess.DEVNULL)
    return _modules_path()


def _has_lua() -> bool:
    return (
        shutil.which("nginx") is not None
        and (Path(_modules_path()) / f"{_MODULES[-1]}.so").is_file()
    )


def _modules_path() -> str:
    said = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"--modules-path=(\S+)", said)
    return found[1] if found else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(100):
        if process.poll() is not None:
            msg = f"nginx ended with {process.returncode}"
            raise SystemExit(msg)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    msg = "nginx does not answer"
    raise SystemExit(msg)
