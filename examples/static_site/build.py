"""Builds ./public from ./pages: the first line of a page is its title, the others are its paragraphs."""

import html
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file that has changed; one that has not keeps its time, so that nobody has to look at it again."""
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


public = Path("public")
public.mkdir(exist_ok=True)
for page in sorted(Path("pages").glob("*.txt")):
    title, *lines = (html.escape(line) for line in page.read_text().splitlines() if line)
    paragraphs = "".join(f"<p>{line}</p>\n" for line in lines)
    write(public / f"{page.stem}.html", f"<!doctype html>\n<title>{title}</title>\n<h1>{title}</h1>\n{paragraphs}")
write(public / "site.css", "body { max-width: 40rem; margin: auto; }\n")
