"""Fixtures for object storage; registered in conftest."""

import urllib.request
import uuid

import pytest


@pytest.fixture(scope="session")
def object_store_server():
    """One server for all tests."""
    from s3 import object_store

    with object_store() as store:
        yield store


@pytest.fixture
def s3(object_store_server, monkeypatch):
    """The server, reachable through the environment."""
    for name, value in object_store_server.environment.items():
        monkeypatch.setenv(name, value)
    return object_store_server


@pytest.fixture
def s3_uri(s3):
    """A prefix of one's own."""
    return f"{s3.uri}/{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def fault_proxy(object_store_server):
    """One proxy for all tests: a client for another address takes a quarter of a second to make."""
    from fault_proxy import FaultProxy

    with FaultProxy(object_store_server.endpoint).running() as proxy:
        yield proxy


@pytest.fixture
def faults(s3, fault_proxy, monkeypatch):
    """The proxy, without any faults yet; clients lose patience soon, and count on being let through."""
    for name, value in fault_proxy.environment.items():
        monkeypatch.setenv(name, value)
    fault_proxy.clear()
    yield fault_proxy
    fault_proxy.clear()


@pytest.fixture
def s3_enforced(s3):
    """The server, refusing wrong credentials while the test runs."""

    def post(count: str) -> None:
        address = f"{s3.endpoint}/moto-api/reset-auth"
        request = urllib.request.Request(address, count.encode(), {"Content-Type": "text/plain"}, method="POST")
        urllib.request.urlopen(request).close()

    post("0")
    yield s3
    post("inf")
