"""nginx as a reverse proxy: one worker, kept connections to the orgs, certificates checked."""

import os
import shutil
from pathlib import Path
from string import Template
from typing import Final

from bench.proxy.places import ORGS, Places

MISSING: Final = "nginx is not installed (on Debian and Ubuntu: apt-get install nginx-light)"

_WHOLE: Final = Template("""\
daemon off;
worker_processes 1;
error_log stderr warn;
pid $folder/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    keepalive_requests 1000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $$host;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate $authority;
    proxy_ssl_server_name on;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
$orgs}
""")
_ORG: Final = Template("""\
    upstream $name {
        server 127.0.0.1:$upstream_port;
        keepalive 64;
        keepalive_requests 1000000;
    }
    server {
        listen 127.0.0.1:$port;
        server_name $host;
        location / {
            proxy_pass https://$name;
            proxy_ssl_name $host;
        }
    }
""")


def command(places: Places, folder: Path) -> list[str] | None:
    """How to start it; None where it is not installed."""
    program = shutil.which("nginx", path=_path_with_system_folders())
    if program is None:
        return None
    folder.mkdir()
    orgs = "".join(
        _ORG.substitute(
            name=f"org{number}",
            host=host,
            port=places.ports["nginx"],
            upstream_port=places.pins[host],
        )
        for number, host in enumerate(ORGS.values())
    )
    configuration = folder / "nginx.conf"
    authority = places.info().authority
    configuration.write_text(_WHOLE.substitute(folder=folder, authority=authority, orgs=orgs))
    return [program, "-p", str(folder), "-c", str(configuration), "-e", "stderr"]


def _path_with_system_folders() -> str:
    """Debian puts it where the path of an ordinary user does not lead."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
