"""A Java trust store made from the CA bundle that the rest of the machine uses.

A JRE carries its own list of authorities. On a machine behind a company's own authority, Python
and curl are told so by ``SSL_CERT_FILE`` and its kin, but Java would refuse every download.
The store is written in the JKS format (big-endian; magic, version 2, entries, SHA-1 over password
+ "Mighty Aphrodite" + content), which every Java reads and which needs no keytool.
Source: sun.security.provider.JavaKeyStore, comment on ``engineStore``.
"""

import hashlib
import os
import re
import ssl
import struct
from pathlib import Path

from gds_pipelines.errors import PipelineError

BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PASSWORD = "changeit"  # Java's own default; a trust store holds public certificates only

_MAGIC = 0xFEEDFEED
_VERSION = 2
_TRUSTED_CERTIFICATE = 2
_WHITENER = b"Mighty Aphrodite"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def ca_bundle(environment: dict[str, str] | None = None) -> Path | None:
    """The PEM file that the environment names, or None when it names none.

    Raises:
        PipelineError: if a variable names a file that does not exist.
    """
    environment = dict(os.environ) if environment is None else environment
    for variable in BUNDLE_VARIABLES:
        if value := environment.get(variable):
            path = Path(value).expanduser()
            if not path.is_file():
                raise PipelineError(f"{variable} names '{value}', which is not a file. Correct or unset it.")
            return path
    return None


def jks_from_pem(pem: str) -> bytes:
    """The bytes of a JKS store that trusts every certificate of a PEM bundle, in its order.

    An empty bundle gives a store that trusts nobody.
    """
    certificates = [ssl.PEM_cert_to_DER_cert(block) for block in _PEM.findall(pem)]
    content = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    for number, der in enumerate(certificates):
        content += struct.pack(">I", _TRUSTED_CERTIFICATE) + _utf(f"ca-{number}")
        content += struct.pack(">q", 0)  # creation time: fixed, so the same bundle gives the same bytes
        content += _utf("X.509") + struct.pack(">I", len(der)) + der
    return content + hashlib.sha1(PASSWORD.encode("utf-16-be") + _WHITENER + content).digest()


def java_options(directory: Path) -> list[str]:
    """JVM options for a store made under ``directory`` from the machine's CA bundle; empty without one."""
    bundle = ca_bundle()
    if bundle is None:
        return []
    store = jks_from_pem(bundle.read_text(encoding="utf-8", errors="replace"))
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"authorities-{hashlib.sha256(store).hexdigest()[:16]}.jks"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(store)
        partial.replace(path)
    return [
        f"-Djavax.net.ssl.trustStore={path}",
        "-Djavax.net.ssl.trustStoreType=JKS",
        f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
    ]


def _utf(text: str) -> bytes:
    encoded = text.encode("utf-8")
    return struct.pack(">H", len(encoded)) + encoded
