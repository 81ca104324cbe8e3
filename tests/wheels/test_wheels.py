"""What is published is whole: the wheels hold what they should, and work where nothing else is installed."""

import email
import zipfile

import pytest
from packaging.requirements import Requirement

from .conftest import PROJECTS, ROOT

pytestmark = pytest.mark.timeout(300)

SDKS = ("s3fs", "boto", "botocore", "aiobotocore", "adlfs", "azure", "gcsfs", "google")
SERVERS = {"cloudsync-s3": "moto_s3", "cloudsync-azure": "azurite", "cloudsync-gcs": "gcs"}
SCHEMES = {"cloudsync-s3": ["s3"], "cloudsync-azure": ["az", "abfs"], "cloudsync-gcs": ["gs", "gcs"]}
"""Our plugins, and what each serves."""

PACKAGES = {
    "cloudsync-core": ROOT / "cloudsync_core",
    **{name: next(PROJECTS[name].glob("src/cloudsync_*")) for name in SCHEMES},
}
NAMES = sorted(PACKAGES)


@pytest.fixture
def read(wheels):
    """Return the text of a file of a distribution's `.dist-info`, or its metadata parsed."""

    def read(name, file):
        with zipfile.ZipFile(wheels[name]) as wheel:
            [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{file}")]
            return wheel.read(path).decode()

    return read


@pytest.fixture
def requirements(read):
    """Return what a distribution requires, extras left out, by name."""

    def requirements(name):
        lines = email.message_from_string(read(name, "METADATA")).get_all("Requires-Dist")
        parsed = [Requirement(line) for line in lines]
        return {requirement.name: requirement for requirement in parsed if requirement.marker is None}

    return requirements


class TestAWheel:
    @pytest.mark.parametrize("name", NAMES)
    def test_holds_every_file_of_its_package_and_no_other(self, wheels, name):
        package = PACKAGES[name]
        sources = {
            str(path.relative_to(package.parent))
            for path in package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        with zipfile.ZipFile(wheels[name]) as wheel:
            assert {path for path in wheel.namelist() if ".dist-info/" not in path} == sources
        assert f"{package.name}/py.typed" in sources

    @pytest.mark.parametrize("name", NAMES)
    def test_says_what_it_is(self, read, name):
        metadata = email.message_from_string(read(name, "METADATA"))
        assert metadata["Name"] == name
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Summary"]
        assert metadata.get_payload().startswith(f"# {name.removesuffix('-core')}")
        assert "Tag: py3-none-any" in read(name, "WHEEL")

    def test_of_the_core_has_the_command(self, read):
        assert "cloudsync = cloudsync_core.cli:main" in read("cloudsync-core", "entry_points.txt")

    def test_of_the_core_requires_no_sdk(self, requirements):
        assert not [name for name in requirements("cloudsync-core") if name.startswith((*SDKS, "cloudsync"))]

    @pytest.mark.parametrize("name", SCHEMES)
    def test_of_a_plugin_requires_no_other_plugin(self, requirements, name):
        assert [required for required in requirements(name) if required.startswith("cloudsync")] == ["cloudsync-core"]

    @pytest.mark.parametrize("name", sorted(PROJECTS.keys() - {"cloudsync-core"}))
    def test_of_a_plugin_requires_a_range_of_the_core(self, requirements, name):
        operators = {specifier.operator for specifier in requirements(name)["cloudsync-core"].specifier}
        assert operators == {">=", "<"}

    @pytest.mark.parametrize("name", sorted(PROJECTS.keys() - {"cloudsync-core"}))
    def test_of_a_plugin_has_its_entry_point(self, read, name):
        assert read(name, "entry_points.txt").startswith("[cloudsync]\n")


class TestACleanEnvironment:
    """The core and one plugin, and nothing else but what these ask for."""

    @pytest.fixture(params=SCHEMES)
    def plugin(self, request):
        return request.param

    @pytest.fixture
    def environment(self, make_environment, plugin):
        return make_environment("cloudsync-core", plugin)

    @pytest.mark.parametrize("command", [("cloudsync",), ("python", "-m", "cloudsync_core")], ids=" ".join)
    def test_has_the_command(self, environment, command):
        version = environment.run(
            "python", "-c", "from importlib.metadata import version; print(version('cloudsync-core'))"
        )
        assert version.strip() in environment.run(*command, "version")

    def test_finds_the_plugin_and_no_other(self, environment, plugin):
        listed = environment.plugins()
        assert listed.keys() == {"cloudsync-core", plugin}
        assert listed[plugin]["status"] == "active"
        assert listed[plugin]["schemes"] == SCHEMES[plugin]

    def test_has_all_that_the_modules_of_the_plugin_import(self, environment, plugin, wheels):
        code = (
            "import importlib, pkgutil, sys; package = importlib.import_module(sys.argv[1]);"
            "print(package.__file__);"
            "[print(importlib.import_module(found.name).__file__)"
            " for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.')]"
        )
        files = environment.run("python", "-c", code, PACKAGES[plugin].name).splitlines()
        with zipfile.ZipFile(wheels[plugin]) as wheel:
            modules = [path for path in wheel.namelist() if path.endswith(".py")]
        installed = next((environment.folder / "lib").glob("python*")) / "site-packages"
        assert sorted(files) == sorted(str(installed / module) for module in modules)

    @pytest.mark.parametrize("plugin", SERVERS)
    def test_mirrors_to_a_server_and_back(self, environment, plugin, request, tmp_path):
        server = request.getfixturevalue(SERVERS[plugin])
        make = server.make_container if plugin == "cloudsync-azure" else server.make_bucket
        location = f"{SCHEMES[plugin][0]}://{make()}/site"
        site = ROOT / "examples/quickstart/site"
        options = [f"{name}={value}" for name, value in server.options.items()]
        there = [part for option in options for part in ("--target-option", option)]
        back = [part for option in options for part in ("--source-option", option)]
        environment.run("cloudsync", "mirror", site, location, *there)
        environment.run("cloudsync", "mirror", location, tmp_path / "back", *back)
        expected = {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        assert expected
        found = {
            str(path.relative_to(tmp_path / "back")): path.read_bytes()
            for path in (tmp_path / "back").rglob("*")
            if path.is_file()
        }
        assert found == expected
