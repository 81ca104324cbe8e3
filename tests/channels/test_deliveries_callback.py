"""Functions that updates are delivered to, and what cannot be one."""

import sys

import pytest

from cloudsync_core.channels.deliveries.callback import CallbackDelivery
from cloudsync_core.errors import ConfigError, DeliveryError, UnavailableError
from tests.channels.updates import update


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Install a module `shop` of this source for one test."""

    def install(source, name="shop"):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return tmp_path / f"{name}.py"

    yield install
    for name in ("shop", "broken"):
        sys.modules.pop(name, None)


def test_gets_the_update_itself(module):
    module("got = []\ndef handle(update):\n    got.append(update)\n    return 'ignored'\n")
    deliver = CallbackDelivery("shop:handle")
    deliver(update())
    assert [found.content for found in sys.modules["shop"].got] == ["hello"]
    assert deliver.describe() == "callback shop:handle"


def test_can_be_a_method_of_an_object_in_a_module(module):
    module(
        "class Shop:\n    got = []\n    def handle(self, update):\n        self.got.append(update.id)\nshop = Shop()\n"
    )
    CallbackDelivery("shop:shop.handle")(update())
    assert sys.modules["shop"].Shop.got == [update().id]


def test_that_raises_has_failed_and_says_where(module):
    place = module("def handle(update):\n    raise ValueError('no stock')\n")
    with pytest.raises(DeliveryError, match="callback shop:handle raised ValueError at") as caught:
        CallbackDelivery("shop:handle")(update())
    assert f"{place}:2: no stock" in str(caught.value)
    assert caught.value.retry


def test_that_ends_the_program_has_failed_and_does_not_end_the_subscriber(module):
    module("import sys\ndef handle(update):\n    sys.exit(3)\n")
    with pytest.raises(DeliveryError, match=r"callback shop:handle raised SystemExit at .*: 3"):
        CallbackDelivery("shop:handle")(update())


@pytest.mark.parametrize("error", [DeliveryError("never", retry=False), UnavailableError("the channel is away")])
def test_has_its_own_judgement_and_the_channels_errors_kept(module, error):
    module("def handle(update):\n    raise error\n")
    deliver = CallbackDelivery("shop:handle")
    sys.modules["shop"].error = error
    with pytest.raises(type(error)) as caught:
        deliver(update())
    assert caught.value is error


class TestIsRefusedAtTheStart:
    @pytest.mark.parametrize("name", ["shop", "shop:", ":handle", "shop handle:x", "shop:a-b", "../shop:handle"])
    def test_where_it_is_not_written_so(self, name):
        with pytest.raises(ConfigError, match="write module:function"):
            CallbackDelivery(name)

    def test_where_its_module_does_not_exist(self):
        with pytest.raises(ConfigError, match="there is no module no_such_module"):
            CallbackDelivery("no_such_module.sub:handle")

    def test_where_what_its_module_imports_does_not_exist(self, module):
        place = module("import math\nimport no_such_module\n")
        with pytest.raises(ConfigError) as caught:
            CallbackDelivery("shop:handle")
        assert f"the module shop cannot be imported: ModuleNotFoundError at {place}:2" in str(caught.value)

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("x = 1 / 0\n", "ZeroDivisionError at {place}:1"),
            ("def handle(:\n", "SyntaxError at {place}:1"),
            ("raise SystemExit(3)\n", "SystemExit at {place}:1"),
        ],
    )
    def test_where_its_module_is_broken(self, module, source, said):
        place = module(source, "broken")
        with pytest.raises(ConfigError) as caught:
            CallbackDelivery("broken:handle")
        assert said.format(place=place) in str(caught.value)

    def test_where_the_module_has_no_such_function(self, module):
        module("class Shop: pass\n")
        with pytest.raises(ConfigError, match=r"shop\.Shop has no handle"):
            CallbackDelivery("shop:Shop.handle")

    def test_where_it_cannot_be_called(self, module):
        module("handle = 3\n")
        with pytest.raises(ConfigError, match="cannot be called, it is a int"):
            CallbackDelivery("shop:handle")

    @pytest.mark.parametrize(
        "source",
        [
            "async def handle(update): pass\n",
            "def handle(update):\n    yield\n",
            "class Shop:\n    async def __call__(self, update): pass\nhandle = Shop()\n",
        ],
    )
    def test_where_a_call_would_do_nothing(self, module, source):
        module(source)
        with pytest.raises(ConfigError, match="it returns before it has done anything"):
            CallbackDelivery("shop:handle")
