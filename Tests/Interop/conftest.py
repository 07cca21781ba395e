"""Stubs made from proto/csi.proto for this run alone, and servers that are gone when a test ends."""

import importlib
import os
import sys
import types

import pytest
from grpc_tools import protoc

import server as servers


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """Messages as `.pb`, clients as `.grpc`."""
    folder = str(tmp_path_factory.mktemp("stubs"))
    source = os.path.join(servers.REPOSITORY, "proto")
    standard = os.path.join(os.path.dirname(protoc.__file__), "_proto")
    arguments = ["protoc", "-I" + source, "-I" + standard, "--python_out=" + folder, "--grpc_python_out=" + folder]
    assert protoc.main(arguments + [os.path.join(source, "csi.proto")]) == 0
    sys.path.insert(0, folder)
    yield types.SimpleNamespace(
        pb=importlib.import_module("csi_pb2"), grpc=importlib.import_module("csi_pb2_grpc"), folder=folder)
    sys.path.remove(folder)


@pytest.fixture
def pb(stubs):
    return stubs.pb


@pytest.fixture
def start(stubs):
    """Starts servers; all of them are stopped, and shown to have left nothing, at the end of the test."""
    started = []

    def start_one(*arguments, environment=None):
        one = servers.Server(stubs, arguments, environment)
        started.append(one)
        return one.start()

    yield start_one
    try:
        for one in started:
            one.stop()
    finally:
        for one in started:
            one.clean()


@pytest.fixture
def server(start):
    return start()


@pytest.fixture
def client(server):
    return server.client()
