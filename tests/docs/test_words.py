"""Terms that only this project used do not come back. The field has a plain term for each: see `WORDS`."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WORDS = {
    r"([Uu]n)?[Ss]eal(s|ed|er)?": "encrypt, decrypt, encrypted",
    r"landing": "staging directory",
    r"appointments?": "retrieval",
    r"pieces?": "chunk",
    r"put aside": "buffered, kept",
    r"(is|are|was|were|be|been) told( of)?": "is called, is notified, is reported, gets a notice",
    r"tells? nobody": "ignores, notifies nobody",
    r"(?<![Tt]here )(is|are|was|were) none": "is invalid, is not one",
    r"(?<![Tt]here )(?<!where )(is|was) no (?!longer|more|other|way|need|answer|worse|faster)[a-z]\w*": "is not a …",
    r"[Ww]hoever": "anyone who, the user who",
    r"costs itself": "is skipped",
}
"""What does not come back, and what to write. `sealing` and `unsealing` are methods of the port `Cipher`."""

FORBIDDEN = re.compile("|".join(rf"(?<![\w-])(?:{word})(?![\w-])" for word in WORDS))
CODE = re.compile(r"```.*?```|``.*?``|`[^`]*`|\{[^{}]*\}", re.DOTALL)
"""Code in prose, and the fields of an f-string."""

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = [path for folder in ("bakthat", "benchmarks", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
CONTRACTS = "".join(path.read_text() for path in (ROOT / "bakthat" / "testing").glob("*_contract.py"))
"""The names of the contracts' tests are public: authors of stores select by them."""


def prose(module: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a module, messages of the product, and names of tests as sentences, with the lines."""
    is_test = module.is_relative_to(ROOT / "tests")
    for token in tokenize.generate_tokens(io.StringIO(module.read_text()).readline):
        is_docstring = token.string.lstrip("rR").startswith('"""')
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and (is_docstring or not is_test)):
            yield token.start[0], token.string
        is_name = is_test and token.type == tokenize.NAME and token.string.startswith("test_")
        if is_name and f"def {token.string}(" not in CONTRACTS:
            yield token.start[0], token.string.replace("_", " ")


def found(text: str) -> list[str]:
    return [match[0] for match in FORBIDDEN.finditer(CODE.sub(" ", text))]


def test_the_documentation_uses_the_terms_of_the_field() -> None:
    places = [f"{page.relative_to(ROOT)}: {word}" for page in PAGES for word in found(page.read_text())]
    assert places == []


def test_docstrings_comments_messages_and_names_of_tests_use_the_terms_of_the_field() -> None:
    places = [
        f"{module.relative_to(ROOT)}:{line}: {word}"
        for module in MODULES
        if module != Path(__file__)
        for line, text in prose(module)
        for word in found(text)
    ]
    assert places == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The sealed archive", ["sealed"]),
        ("It is no archive.", ["is no archive"]),
        ("There is no archive, and it is no longer read.", []),
        ("If there are none, `seal` is not called.", []),
        ("Use `Cipher.sealing` and unsealing.", []),
        ("{sealed} could not be opened", []),
    ],
)
def test_a_term_is_found_in_prose_and_not_in_code(text: str, words: list[str]) -> None:
    assert found(text) == words
