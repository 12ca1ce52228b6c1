from typing import Any

import pytest
from api_calls import Api, fresh_api


@pytest.fixture
def api() -> Api:
    return fresh_api()


@pytest.fixture
def pod() -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]},
    }
