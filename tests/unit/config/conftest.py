"""A configuration file called config.yaml in the working directory, as a user has it."""

from pathlib import Path

import pytest

from cloudsync_core.config.loader import LoadedConfig, load
from cloudsync_core.errors import ConfigError


class ConfigFile:
    path = Path("config.yaml")

    def write(self, text: str | bytes) -> Path:
        self.path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.path

    def load(self, text: str | bytes) -> LoadedConfig:
        return load(self.write(text))

    def problems(self, text: str | bytes) -> list[str]:
        """The lines of the error that `text` gives, without the name of the file."""
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        lines = str(caught.value).splitlines()
        return [line.removeprefix("config.yaml:") for line in lines]

    def job_problems(self, options: str) -> list[str]:
        """The same for a job's options, which begin in line 6."""
        job = "version: 1\njobs:\n  site:\n    source: ./a\n    target: ./b\n"
        return self.problems(job + "".join(f"    {line}\n" for line in options.splitlines()))


@pytest.fixture
def config(tmp_path, monkeypatch) -> ConfigFile:
    monkeypatch.chdir(tmp_path)
    return ConfigFile()
