"""Stand-ins for certificates: they fit, they say the same, and they are not the original."""

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from aegis.shadow.certificates import stand_in
from aegis.shadow.synthetic import Faker


def issue(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *, days: int = 30) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.shop.svc")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509
        .CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("web.shop.svc")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_the_pair_fits_and_says_what_the_original_said(kind: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    original = issue(key, days=-1)
    pair = stand_in(original)
    assert pair is not None
    (tmp_path / "crt").write_text(pair[0], encoding="utf-8")
    (tmp_path / "key").write_text(pair[1], encoding="utf-8")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "crt", tmp_path / "key")
    before, after = (x509.load_pem_x509_certificate(text.encode()) for text in (original, pair[0]))
    assert after.subject == before.subject
    assert after.not_valid_after_utc == before.not_valid_after_utc, "what has expired stays expired"
    assert after.public_key() != before.public_key()
    names = after.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["web.shop.svc"]


@pytest.mark.parametrize("junk", ["", "x", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_has_no_stand_in(junk: str) -> None:
    assert stand_in(junk) is None


def test_a_tls_secret_holds_a_pair_that_fits(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    texts = {"tls.crt": issue(key), "tls.key": private, "ca.crt": issue(key)}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
    fake = Faker(b"salt").secret({"type": "kubernetes.io/tls", "data": data})["data"]
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(base64.b64decode(fake[name]))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    assert fake["ca.crt"] == fake["tls.crt"]
    assert fake["tls.key"] != data["tls.key"]


def test_a_pair_that_cannot_be_read_is_faked_by_its_shape() -> None:
    data = {"tls.crt": base64.b64encode(b"not a certificate at all").decode(), "tls.key": "aGVsbG8gd29ybGQ="}
    fake = Faker(b"salt").secret({"data": data})["data"]
    assert fake.keys() == data.keys()
    assert fake["tls.crt"] != data["tls.crt"]
