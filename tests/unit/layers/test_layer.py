"""A layer changes nothing that it does not say it changes."""

import dataclasses
import uuid

import pytest

from cloudsync_core.backend import Backend
from cloudsync_core.backends.memory import MemoryBackend
from cloudsync_core.body import Body
from cloudsync_core.errors import InvalidKeyError, ObjectNotFoundError
from cloudsync_core.layers.layer import Layer, innermost
from cloudsync_core.layers.readonly import ReadOnly
from cloudsync_core.layers.retry import Retry, RetryPolicy
from cloudsync_core.layers.trace import RequestCounts, Trace
from cloudsync_core.location import Location
from cloudsync_core.models import IF_ABSENT, Attributes, ByteRange

LAYERS = {
    "layer": Layer,
    "retry": lambda inner: Retry(inner, RetryPolicy()),
    "trace": lambda inner: Trace(inner, RequestCounts()),
    "stacked": lambda inner: Retry(Trace(Layer(inner), RequestCounts()), RetryPolicy()),
}


@pytest.fixture(params=LAYERS)
def layer(request, memory) -> Layer:
    return LAYERS[request.param](memory)


def test_every_method_of_a_backend_is_delegated():
    # What a layer inherits from Backend instead would run the default of the layer, not the plugin's own way.
    composed = {"__enter__", "__exit__", "__repr__"}
    methods = {name for name, value in vars(Backend).items() if callable(value) or isinstance(value, property)}
    assert methods - composed <= set(vars(Layer))


def test_objects_pass_unchanged(layer, memory):
    attributes = Attributes(content_type="text/plain", metadata={"a": "b"})
    written = layer.put("k", Body(b"content"), attributes=attributes, condition=IF_ABSENT)
    assert layer.stat("k") == written == memory.stat("k")
    assert written.attributes == attributes
    with layer.get("k", byte_range=ByteRange(1, 4), if_match=written.version) as reader:
        assert reader.read() == b"ont"
    assert [key for page in layer.list() for key in page.keys] == ["k"]
    assert [result.error for result in layer.delete_many([("k", written.version)])] == [None]
    with pytest.raises(ObjectNotFoundError):
        layer.stat("k")


def test_identity_location_and_capabilities_are_those_of_the_inner_backend(layer, memory):
    assert (layer.identity, layer.location, layer.capabilities) == (
        memory.identity,
        memory.location,
        memory.capabilities,
    )


def test_check_key_is_the_inner_backends(memory):
    class Short(Layer):
        @property
        def capabilities(self):
            return dataclasses.replace(memory.capabilities, max_key_bytes=3)

        def check_key(self, key):
            Backend.check_key(self, key)

    with pytest.raises(InvalidKeyError):
        Layer(Short(memory)).check_key("long")


def test_a_copy_sees_the_innermost_backends_of_both_sides(layer, memory):
    other = MemoryBackend(Location.parse(f"memory://{uuid.uuid4()}"))
    source = Retry(ReadOnly(other), RetryPolicy())
    info = other.put("from", Body(b"content"))
    assert layer.can_copy_from(source)
    layer.copy(source, info, "to")
    assert memory.stat("to").digests == info.digests


def test_innermost_is_the_backend_itself_where_there_is_no_layer(memory):
    assert innermost(memory) is memory
    assert innermost(ReadOnly(Layer(memory))) is memory


def test_closing_a_layer_closes_the_backend(memory):
    class Closing(Layer):
        closed = 0

        def close(self):
            self.closed += 1

    inner = Closing(memory)
    with Retry(Layer(inner), RetryPolicy()):
        assert inner.closed == 0
    assert inner.closed == 1
