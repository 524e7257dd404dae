# SPDX-License-Identifier: Apache-2.0
"""Who a node is: the join string that it found its cluster by, its key pair, and the certificate that a broker issued.

Key and certificate are kept in a folder that is for its owner only; the node id and the incarnation are new at each
start (hello.py).
"""
import base64
import dataclasses
import os
import re
import time
from urllib.parse import parse_qsl

from cobus.v1 import session_pb2
from nacl import bindings
from nacl.exceptions import BadSignatureError

from .wire import Code, CobusError

SIGNED_PREFIX = b"cobus certificate v1\0"
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:,/]+)):(\d{1,5})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclasses.dataclass(frozen=True)
class JoinString:
    """cobus://HOST:PORT[,HOST:PORT...]?cluster=FINGERPRINT[&token=SECRET]"""
    brokers: tuple  # (host, port)
    fingerprint: bytes  # the cluster's Ed25519 public key
    token: str = dataclasses.field(default="", repr=False)

    @classmethod
    def parse(cls, text):
        """Raises ValueError, whose text never shows the token."""
        hosts, question, query = text.strip().removeprefix("cobus://").partition("?")
        if not text.strip().startswith("cobus://") or not question:
            raise ValueError("a join string is cobus://HOST:PORT[,HOST:PORT...]?cluster=FINGERPRINT[&token=SECRET]")
        brokers = []
        for host in hosts.split(","):
            match = _HOST.fullmatch(host)
            if not match or not 0 < int(match[3]) < 65536:
                raise ValueError("a broker of the join string is not HOST:PORT")
            brokers.append((match[1] or match[2], int(match[3])))
        parameters = parse_qsl(query, keep_blank_values=True)
        names = [name for name, _ in parameters]
        if sorted(names) not in (["cluster"], ["cluster", "token"]):
            raise ValueError("a join string has the parameter cluster and at most one token, and no others")
        values = dict(parameters)
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", values.get("token", "none")):
            raise ValueError("the token of the join string has characters that no token has")
        return cls(tuple(brokers), _decode_fingerprint(values["cluster"]), values.get("token", ""))

    @property
    def broker_key(self):
        """The CURVE key of every broker: the X25519 form of the cluster's key."""
        return bindings.crypto_sign_ed25519_pk_to_curve25519(self.fingerprint)


def _decode_fingerprint(text):
    try:
        decoded = base64.b32decode(text.upper() + "====")
    except ValueError:
        decoded = b""
    if len(decoded) != 32 or base64.b32encode(decoded).decode().rstrip("=").lower() != text:
        raise ValueError("the cluster's fingerprint is not 52 characters of lower-case base32")
    return decoded


def is_name(text):
    return bool(_NAME.fullmatch(text))


def check_certificate(certificate, fingerprint, key=None):
    """The body of a certificate that holds now, and for whoever proved `key`; else raises PERMISSION_DENIED."""
    body = session_pb2.CertificateBody()
    try:
        bindings.crypto_sign_open(certificate.signature + SIGNED_PREFIX + certificate.body, fingerprint)
        body.ParseFromString(certificate.body)
    except (BadSignatureError, ValueError) as error:
        raise CobusError(Code.PERMISSION_DENIED, "the certificate is not signed by this cluster") from error
    if key is not None and body.curve_key != key:
        raise CobusError(Code.PERMISSION_DENIED, f"the certificate of {body.name} is for another key")
    if not body.not_before <= time.time() < body.not_after:
        raise CobusError(Code.PERMISSION_DENIED, f"the certificate of {body.name} is not valid now")
    return body


class Identity:
    """The key pair and the certificate of one node, in a folder of its own. Whoever opens it first makes the key."""

    def __init__(self, folder, fingerprint):
        self.fingerprint = fingerprint
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        secret = self._read("key")
        if secret is None:
            secret = bindings.crypto_box_keypair()[1]
            self._write("key", secret)
        self.secret_key = secret
        self.public_key = bindings.crypto_scalarmult_base(secret)
        self.certificate = None
        self.body = None
        kept = self._read("certificate")
        if kept is not None:
            self._take(session_pb2.Certificate.FromString(kept))

    def keep_certificate(self, certificate):
        """Takes what a broker issued, and keeps it for the next start."""
        self._take(certificate)
        self._write("certificate", certificate.SerializeToString())

    def _take(self, certificate):
        self.body = check_certificate(certificate, self.fingerprint, self.public_key)
        self.certificate = certificate

    def _read(self, name):
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def _write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)
