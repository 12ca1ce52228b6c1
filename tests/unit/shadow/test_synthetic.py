"""Fakes: the shape stays, the content goes, and the same value becomes the same fake."""

import base64
import json
import string

from hypothesis import assume, given
from hypothesis import strategies as st

from aegis.shadow.synthetic import Faker

FAKER = Faker(b"salt", hosts=["db"])
WORDS = st.text(alphabet=string.ascii_letters + string.digits + "_-.@$", min_size=12, max_size=60)


def shape(text: str) -> str:
    classes = {**dict.fromkeys(string.ascii_lowercase, "a"), **dict.fromkeys(string.ascii_uppercase, "A")}
    classes |= dict.fromkeys(string.digits, "9")
    return "".join(classes.get(char, char) for char in text)


@given(WORDS)
def test_a_word_keeps_its_shape_and_nothing_else(value: str) -> None:
    assume(sum(char.isalnum() for char in value) > 8)
    fake = FAKER.text(value)
    assert shape(fake) == shape(value)
    assert fake != value
    assert fake == Faker(b"salt", hosts=["db"]).text(value)
    assert fake != Faker(b"other", hosts=["db"]).text(value)


@given(WORDS, WORDS)
def test_a_password_is_the_same_alone_and_within_a_url(user: str, password: str) -> None:
    assume("@" not in user + password)
    url = FAKER.text(f"postgres://{user}:{password}@db:5432/shop?sslmode=disable")
    assert url.startswith("postgres://")
    assert url.endswith(f":{FAKER.text(password)}@db:5432/shop?{'sslmode=' + FAKER.text('disable')}")


def test_a_url_to_the_outside_keeps_no_host_and_no_path() -> None:
    fake = FAKER.text("https://hooks.example.com/services/T00000000/B00000000/XXXXXXXXXXXX")
    assert fake.startswith("https://redacted.invalid/")
    assert "services" not in fake
    assert "T00000000" not in fake


def test_json_keeps_its_keys() -> None:
    source = {"user": "administrator", "nested": {"list": ["abcdefghij", True, None, 3]}, "id": 123456789}
    fake = json.loads(FAKER.text(json.dumps(source)))
    assert fake.keys() == source.keys()
    assert fake["user"] != source["user"]
    assert fake["nested"]["list"][1:] == [True, None, 3]
    assert fake["id"] != 123456789


def test_pem_stays_pem() -> None:
    body = base64.b64encode(b"a private key of some length, here").decode()
    pem = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"
    fake = FAKER.text(pem)
    assert fake.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert fake.endswith("\n-----END PRIVATE KEY-----\n")
    assert body not in fake
    base64.b64decode(fake.split("\n")[1], validate=True)


def test_lines_of_a_file_keep_their_keys() -> None:
    fake = FAKER.text("PASSWORD=correcthorsebattery\nDEBUG=true\n")
    assert fake.startswith("PASSWORD=")
    assert fake.endswith("DEBUG=true\n")
    assert "correcthorse" not in fake


def test_a_secret_keeps_its_keys_and_its_ports() -> None:
    data = {"password": base64.b64encode(b"hunter2hunter2").decode(), "db-port": base64.b64encode(b"5432").decode()}
    data["key.bin"] = base64.b64encode(bytes(range(200, 256))).decode()
    fake = FAKER.secret({"kind": "Secret", "type": "Opaque", "data": data})
    assert fake["data"].keys() == data.keys()
    assert fake["data"]["db-port"] == data["db-port"]
    assert fake["data"]["password"] != data["password"]
    assert len(base64.b64decode(fake["data"]["key.bin"])) == 56
    assert fake["data"]["key.bin"] != data["key.bin"]


def test_a_pin_is_no_port() -> None:
    assert FAKER.text("4711471147") != "4711471147"


@given(st.text(max_size=200))
def test_any_text_can_be_faked(value: str) -> None:
    assert isinstance(FAKER.text(value), str)
    FAKER.encoded(value)


def test_base64_with_a_line_feed_is_no_setting_without_value() -> None:
    for secret in (
        "c2VjcmV0cGFzc3dvcmQ=\n",
        "c2VjcmV0cGFzc3dvcmQ==\r\n",
        "Zmlyc3Rsb25nc2VjcmV0=\nc2Vjb25kbG9uZ3NlY3I=\n",
    ):
        fake = FAKER.text(secret)
        assert shape(fake) == shape(secret)
        assert not {line.strip("=\r") for line in fake.split("\n")} & {
            line.strip("=\r") for line in secret.split("\n")
        } - {""}


def test_a_line_keeps_its_key_only_where_that_is_a_key() -> None:
    fake = FAKER.text("password: Sup3rSecret=x1\nMODE=production7\n")
    assert "Sup3rSecret" not in fake
    assert "MODE=" in fake
    assert "production7" not in fake


def test_what_stands_around_pem_is_faked_too() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nTUlJQzR6Q0NB\n-----END CERTIFICATE-----"
    fake = FAKER.text(f"password: hunter2hunter2\n{pem}\ntoken: abcdefghijkl\n")
    assert "hunter2" not in fake
    assert "abcdefghijkl" not in fake
    assert "-----BEGIN CERTIFICATE-----\n" in fake


def test_pem_without_an_end_is_faked() -> None:
    assert "TUlJQzR6Q0NB" not in FAKER.text("-----BEGIN PRIVATE KEY-----\nTUlJQzR6Q0NB\n")
    assert "TUlJQzR6Q0NB" not in FAKER.text("key=-----BEGIN PRIVATE KEY-----TUlJQzR6Q0NB")


def test_a_query_that_is_one_word_is_faked() -> None:
    assert "s3cretT0ken" not in FAKER.text("https://hooks.example.com/in?s3cretT0ken")
