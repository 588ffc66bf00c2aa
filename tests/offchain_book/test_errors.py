"""Every reject code has a sentence, and the page about them is current."""

import re
import string

import pytest

from offchain_book.engine.rejects import RejectCode
from offchain_book.errors import SENTENCES
from offchain_book.gateways.error_page import GATEWAY
from scripts.errors_doc import PAGE, page


@pytest.mark.parametrize("code", list(RejectCode), ids=lambda code: code.name)
def test_every_code_has_a_sentence(code: RejectCode) -> None:
    assert list(string.Formatter().parse(SENTENCES[code]))


def test_the_errors_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run scripts/errors_doc.py"


def test_every_code_of_the_gateways_is_on_the_page() -> None:
    root, known = PAGE.parents[1], {*GATEWAY, *RejectCode.__members__}
    raised = re.compile(
        r'(?:problem|HookRefused)\(\s*\d{3},\s*"([A-Z_]+)"|ApiError\(\s*\d{3},[^"()]*"[^"]*",\s*"([A-Z_0-9]+)"'
    )
    found = {
        code
        for file in [*(root / "offchain_book").rglob("*.py"), *(root / "bridge").rglob("*.py")]
        for pair in raised.findall(file.read_text())
        for code in pair
        if code
    }
    assert len(found) > 50, "the pattern finds what gateways raise"
    assert found <= known, f"add to error_page.GATEWAY: {sorted(found - known)}"
