"""docs/cli.md is what the command says of itself."""

from typer.main import get_command

from bridge.cli import app
from scripts.cli_doc import PAGE, page, verbs


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run scripts/cli_doc.py"


def test_every_verb_says_what_its_exit_codes_mean() -> None:
    silent = [name for name, verb in verbs(get_command(app), "causeway") if "xit code" not in (verb.help or "")]
    assert set(silent) <= {"causeway up"}
