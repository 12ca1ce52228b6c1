import ipaddress

from cryptography import x509

from aegis.localcluster.apiserver.tls import Authority


def test_the_server_certificate_is_the_authoritys_and_names_its_addresses() -> None:
    authority = Authority()
    certificate = x509.load_pem_x509_certificate(authority.server(["127.0.0.1", "localhost"]).certificate)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]


def test_a_client_certificate_is_no_server_certificate() -> None:
    certificate = x509.load_pem_x509_certificate(Authority().client("bob", ["devs"]).certificate)
    assert certificate.subject.rfc4514_string() == "CN=bob,O=devs"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [u.dotted_string for u in usage] == ["1.3.6.1.5.5.7.3.2"]
