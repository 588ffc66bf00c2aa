"""Every reject code has a sentence, and the page about them is current."""

import string

import pytest

from offchain_book.engine.rejects import RejectCode
from offchain_book.errors import SENTENCES
from scripts.errors_doc import PAGE, page


@pytest.mark.parametrize("code", list(RejectCode), ids=lambda code: code.name)
def test_every_code_has_a_sentence(code: RejectCode) -> None:
    assert list(string.Formatter().parse(SENTENCES[code]))


def test_the_errors_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run scripts/errors_doc.py"
