"""Count the project's words, and list sentences that probably need a second reading: `python -m docs.words [PATH ...]`.

A sentence is listed when it has more than MOST_WORDS words, or begins with a relative clause ("What is asked for ...").
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_WORDS = 30
OTHERS = ("bench", "deploy", "docs", "evaluation", "examples", "training")
PARTS = {
    "README.md, CONTRIBUTING.md": ("README.md", "CONTRIBUTING.md"),
    "docs, without decisions": ("docs/*.md", "docs/how-to/*.md", "docs/reference/*.md", "docs/explanation/*.md"),
    "docs/decisions": ("docs/decisions/*.md",),
    "docstrings and comments, src": ("src/**/*.py",),
    "docstrings and comments, tests": ("tests/**/*.py",),
    "docstrings and comments, the rest": tuple(f"{folder}/**/*.py" for folder in OTHERS),
}
_CLAUSE_FIRST = re.compile(r"(What|Who|Whoever|Whatever|Whose|Whom|That which)\b(?!.*\?$)")
_CODE = re.compile(r"```.*?```|^(?:    [^\n]*\n)+|<!--.*?-->|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
_BLOCKS = re.compile(r"\n\s*\n|\n\s*(?=(?:[-*#]|\d+\.) )|\|")
_END = re.compile(r"(?<=[.!?:;])\s+(?=[A-Z`*(])")


def texts(path: Path) -> Iterator[str]:
    """A page's prose, or the docstrings and comments of a Python file."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield _CODE.sub("", source)
        return
    for node in ast.walk(ast.parse(source)):
        for below in ast.iter_child_nodes(node):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield text
    comment: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comment.append(token.string.lstrip("#: "))
        elif token.type != tokenize.NL and comment:
            yield " ".join(comment)
            comment = []


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text. List items, table cells and headings end one."""
    for block in _BLOCKS.split(text):
        yield from (found for found in _END.split(" ".join(block.split())) if found)


def hard(sentence: str) -> bool:
    """Whether the sentence is too long, or begins with a relative clause."""
    return len(sentence.split()) > MOST_WORDS or _CLAUSE_FIRST.match(sentence) is not None


def files(patterns: tuple[str, ...]) -> list[Path]:
    """The files of a part."""
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def main() -> None:
    if paths := [Path(argument) for argument in sys.argv[1:]]:
        for path in paths:
            for sentence in (each for text in texts(path) for each in sentences(text) if hard(each)):
                print(f"{path}: {sentence}")  # noqa: T201
        return
    for part, patterns in PARTS.items():
        found = [text for path in files(patterns) for text in texts(path)]
        every = [sentence for text in found for sentence in sentences(text)]
        words = sum(len(text.split()) for text in found)
        print(f"{words:7,} words, {sum(map(hard, every)):5,} of {len(every):6,} sentences are hard: {part}")  # noqa: T201


if __name__ == "__main__":
    main()
