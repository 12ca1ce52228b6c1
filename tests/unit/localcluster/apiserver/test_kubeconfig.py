import base64
from pathlib import Path

import yaml

from aegis.localcluster.apiserver.kubeconfig import kubeconfig, write_kubeconfig
from aegis.localcluster.apiserver.tls import KeyPair


def test_it_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("old")
    path.chmod(0o644)
    write_kubeconfig(path, kubeconfig("https://127.0.0.1:1", b"ca", KeyPair(certificate=b"cert", key=b"key")))
    assert path.stat().st_mode & 0o777 == 0o600
    document = yaml.safe_load(path.read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    assert base64.b64decode(document["users"][0]["user"]["client-key-data"]) == b"key"
    assert list(tmp_path.iterdir()) == [path]
