"""Signed requests to a server of S3 on loopback."""

import base64
import datetime
import hashlib
import hmac
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

REGION = "us-east-1"
UNSIGNED = "UNSIGNED-PAYLOAD"
TIMEOUT_S = 60


def authorization(method: str, host: str, path: str, at: datetime.datetime, key: str, secret: str, *, query: str = "",
                  digest: str = UNSIGNED, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers that sign a request by Signature Version 4. Path and query are percent-encoded.

    More headers are signed too. Their names are in small letters, as those of S3 are that say what it shall do.
    """
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    headers = dict(sorted({"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp, **(more or {})}.items()))
    names = ";".join(headers)
    request = "\n".join([method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names,
                         digest])
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing = f"AWS4{secret}".encode()
    for word in (day, REGION, "s3", "aws4_request"):
        signing = hmac.digest(signing, word.encode(), "sha256")
    signature = hmac.digest(signing, text.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": credential}


@dataclass(frozen=True)
class User:
    """Somebody whom a server on loopback knows."""
    port: int
    key: str
    secret: str

    def ask(self, method: str, path: str, query: Mapping[str, str] | None = None,
            body: bytes = b"", more: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """One request: the status and the body of its answer."""
        host, path = f"127.0.0.1:{self.port}", quote(path)
        encoded = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}"
                           for name, value in sorted((query or {}).items()))
        headers = authorization(method, host, path, datetime.datetime.now(datetime.timezone.utc), self.key, self.secret,
                                query=encoded, digest=hashlib.sha256(body).hexdigest(), more=more)
        headers["content-md5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, f"{path}?{encoded}" if encoded else path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @property
    def environment(self) -> dict[str, str]:
        """What holdfast needs to be this user."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret,
                "AWS_EC2_METADATA_DISABLED": "true"}
