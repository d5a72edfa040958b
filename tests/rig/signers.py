"""Signers of hrefs that a range server demands tokens for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rasteret_assets.fetch import Signature
from tests.rig.http_server import Fault, RangeServer

_PACKAGE = """
from datetime import datetime, timedelta, timezone
from urllib.request import urlopen
from rasteret_assets import Signature

class Signer:
    def scope(self, url):
        return "all" if url.startswith({root!r}) else None

    def signature(self, scope):
        with urlopen({root!r} + "token") as answer:
            token = answer.read().decode()
        return Signature(
            query="sig=" + token, expires=datetime.now(timezone.utc) + timedelta(hours=1)
        )
"""
_ENTRY_POINTS = "[rasteret_assets.signers]\n{name} = {module}:Signer\n"


class TokenSigner:
    """Signs what lies on one server, with tokens that it issues."""

    def __init__(self, server: RangeServer, *, ttl_s: float = 3600.0) -> None:
        self.server = server
        self.ttl_s = ttl_s
        self.asked: list[str] = []
        self.issued: list[str] = []

    def scope(self, url: str) -> str | None:
        return "all" if url.startswith(self.server.url()) else None

    def signature(self, scope: str) -> Signature:
        self.asked.append(scope)
        expires = datetime.now(UTC) + timedelta(seconds=self.ttl_s)
        self.issued.append(self.server.issue_token(self.ttl_s))
        return Signature(query=f"sig={self.issued[-1]}", expires=expires)


def install_signer(folder: Path, server: RangeServer, name: str) -> str:
    """Lay a package into `folder` that signs what `server` has; return the token it will get.

    With `folder` on Python's path it is as good as installed: `name` is its signer's.
    """
    module = f"signer_of_port_{server.port}"
    (folder / f"{module}.py").write_text(_PACKAGE.format(root=server.url()))
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(_ENTRY_POINTS.format(name=name, module=module))
    token = server.issue_token()
    server.always("token", Fault(status=200, body=token.encode()))
    return token


def planetary_service(server: RangeServer, account: str, container: str) -> dict[str, str]:
    """Let `server` be Blob Storage and its token service; return the environment that says so.

    Storage is reached through `http_proxy`, which asks the server for whole addresses.
    """
    expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = {"msft:expiry": expiry, "token": f"se=2&sp=rl&sig={server.issue_token()}"}
    body = json.dumps(answer).encode()
    server.always(f"sas/{account}/{container}", Fault(status=200, body=body))
    return {
        "PC_SDK_SAS_URL": server.url("sas"),
        "http_proxy": server.url(),
        "no_proxy": "127.0.0.1",
    }
