"""The fenced blocks of a Markdown page, and how each kind is executed.

The convention is described in CONTRIBUTING.md, section "Documentation is executed".
"""

import dataclasses
import re
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudsync_core.config.loader import load

FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w-]*)(?: +title=\"(?P<title>[^\"]+)\")?$")
EXCUSE = re.compile(r"\s*<!-- not run: (?P<reason>.+) -->")
EXECUTED = {"python", "console", "yaml"}
"""Languages whose blocks run, unless a comment says why one does not."""
SHOWN = {"text", "mermaid", "markdown", "toml", "json", "ini", "sql"}
"""Languages of blocks that are only read, unless they have a title: then they are files too."""

END = "\x1e"  # a control character that no output holds: the end of one command's output
MEASURED = re.compile(
    r"\b\d+(?:\.\d+)? ?(?:ms|s|B/s|kB/s|KiB/s|MB/s|MiB/s)\b"  # times and rates
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"  # moments
    r"|\b\d{8}T\d{6}(?:\.\d{6})?\w*(?:-[0-9a-f]+)?"  # identifiers of runs and updates
)


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str
    excuse: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.language})"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    return list(_blocks(page, page.read_text().splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    number, excuse = 0, None
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.lstrip().startswith("```"):
            fence = FENCE.fullmatch(line)
            assert fence, f'{page}:{number}: a fence reads ```language or ```language title="file": {line!r}'
            start = number
            while lines[number].strip() != "```":
                number += 1
            text = textwrap.dedent("\n".join(lines[start:number]) + "\n")
            yield Block(page, start, fence["language"], fence["title"], text, excuse)
            number, excuse = number + 1, None
        elif found := EXCUSE.fullmatch(line):
            excuse = found["reason"]
        elif line.strip():
            excuse = None


def execute(block: Block, folder: Path, env: Mapping[str, str], namespace: dict[str, Any]) -> None:
    """Do what a reader who follows the page would do with the block, and check what the page says comes of it.

    Args:
        block: which one.
        folder: the working directory; `python` blocks rely on the caller to be in it.
        env: of the commands.
        namespace: what the page's `python` blocks share.
    """
    if block.title:
        file = folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)
    elif block.language == "python":
        # The padding makes a traceback show the line of the page.
        exec(compile("\n" * block.line + block.text, str(block.page), "exec"), namespace)
    elif block.language == "console":
        converse(block, folder, env)
    elif block.language == "yaml":
        file = folder / "example.yaml"
        file.write_text(block.text)
        load(file)


def converse(block: Block, folder: Path, env: Mapping[str, str]) -> None:
    """Type the commands of a `console` block into one shell, and compare what it answers with what is shown."""
    turns = _turns(block)
    # `$?` is kept for a following `echo $?`.
    script = "".join(f"{command}\nstatus=$?; printf '{END}%s{END}' $status; (exit $status)\n" for command, _ in turns)
    finished = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    answers = finished.stdout.split(END)
    assert len(answers) == 2 * len(turns) + 1, f"{block}: the shell ended early\n{finished.stdout}"
    for index, (command, expected) in enumerate(turns):
        output, status = answers[2 * index], answers[2 * index + 1]
        asked = index + 1 < len(turns) and turns[index + 1][0] == "echo $?"
        assert status == "0" or asked, f"{block}: {command!r} exited with {status}\n{output}"
        if expected:
            assert alike(expected, output), f"{block}: {command!r} is shown to print\n{expected}\nand prints\n{output}"


def _turns(block: Block) -> list[tuple[str, str]]:
    """Cut a `console` block into commands (`$ `, continued after a backslash) and the output shown for each."""
    turns: list[tuple[str, str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            turns.append((line[2:], ""))
        elif turns and turns[-1][0].endswith("\\") and not turns[-1][1]:
            turns[-1] = (f"{turns[-1][0]}\n{line}", "")
        else:
            assert turns, f"{block}: a console block begins with a command: $ …"
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}{line}\n")
    return turns


def alike(shown: str, printed: str) -> bool:
    """Tell whether output is what a page shows.

    Times, rates, moments and run identifiers may differ, and so may the width of the space between columns; `...`
    stands for anything.
    """
    pattern = re.escape(_plain(shown)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, _plain(printed), re.DOTALL) is not None


def _plain(output: str) -> str:
    lines = (re.sub(r"[ ─━]+", " ", MEASURED.sub("#", line)).strip() for line in output.strip().splitlines())
    return "\n".join(line for line in lines if line)
