"""Dockerfiles: one instruction a line, as their builder reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis.security.manifest_tools.dockerfile import instructions


def texts(dockerfile: str) -> list[str]:
    return [step.text for step in instructions(dockerfile)]


def test_continued_lines_comments_between_them_and_words_in_any_case() -> None:
    assert texts("from a:1\n# no\n\nRun one \\\n# two\n\n   && three\n") == ["FROM a:1", "RUN one && three"]


def test_an_instruction_begins_where_it_begins() -> None:
    assert [step.line for step in instructions("\n# a\nFROM a\n# b\n\nRUN b \\\n c\nUSER d\n\n# e\n")] == [3, 6, 8]


def test_another_character_continues_lines() -> None:
    assert texts("# escape=`\nFROM a\nRUN one `\n two\\\nUSER b") == ["FROM a", "RUN one two\\", "USER b"]


def test_a_directive_after_something_else_is_a_comment() -> None:
    assert texts("# hello\n# escape=`\nRUN one \\\n two") == ["RUN one two"]


def test_here_documents_belong_to_their_instruction() -> None:
    (run, user) = instructions("RUN <<EOF bash\ncurl x |\n sh\nEOF\nUSER a\n")
    assert run.text == "RUN <<EOF bash ; curl x | ; sh"
    assert run.script == "<<EOF bash\ncurl x |\nsh"
    assert (user.text, user.line) == ("USER a", 5)


def test_a_list_of_words_is_what_it_runs() -> None:
    (run,) = instructions('CMD ["nc", "-e", "sh"]')
    assert run.script == "nc -e sh"
    assert run.text == 'CMD ["nc", "-e", "sh"]'


def test_an_earlier_stage_is_no_image() -> None:
    assert texts("FROM a AS Build\nFROM --platform=x build AS c\nFROM c\nFROM d") == [
        "FROM a AS Build",
        "FROM-STAGE --platform=x build AS c",
        "FROM-STAGE c",
        "FROM d",
    ]


@given(st.text(max_size=300))
def test_any_text_is_read_and_no_instruction_has_a_line_break(dockerfile: str) -> None:
    for step in instructions(dockerfile):
        assert "\n" not in step.text
        assert step.line >= 1
