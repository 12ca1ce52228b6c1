"""Stand-ins for TLS certificates: the same names and the same validity, with a key that nobody else has.

A program that reads a key pair at its start must find one that fits together, and one that has expired in production must
have expired in the shadow too, or the failure would not be reproduced.
"""

from __future__ import annotations

import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_RSA_BITS = 2048


def stand_in(certificate: str) -> tuple[str, str] | None:
    """A self-signed certificate like this one, and its key, both in PEM; None where it cannot be read.

    Args:
        certificate: PEM; of a chain the first is taken.
    """
    try:
        original = x509.load_pem_x509_certificate(certificate.encode())
        return _issue(original)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None


def _issue(original: x509.Certificate) -> tuple[str, str]:
    key = _key(isinstance(original.public_key(), rsa.RSAPublicKey))
    builder = (
        x509
        .CertificateBuilder()
        .subject_name(original.subject)
        .issuer_name(original.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(original.not_valid_before_utc)
        .not_valid_after(original.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    names = _names(original)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def _names(original: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return original.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


@functools.cache
def _key(is_rsa: bool) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:  # noqa: FBT001 - the cache takes no keywords apart
    """One key a kind and process is enough for stand-ins, and RSA keys take long to make."""
    if is_rsa:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())
