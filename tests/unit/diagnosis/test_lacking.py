"""What programs say of variables that are not set."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.diagnosis.lacking import LONGEST, lacking

_CLEAR = """\
KeyError: 'QUEUE_URL'
key not found: "QUEUE_URL" (KeyError)
/app/run.sh: line 3: QUEUE_URL: unbound variable
sh: 1: QUEUE_URL: parameter not set
/entry.sh: line 4: QUEUE_URL: parameter null or not set
/entry.sh: 4: QUEUE_URL: where shall I listen?
django.core.exceptions.ImproperlyConfigured: Set the QUEUE_URL environment variable
panic: env: required environment variable "QUEUE_URL" is not set
panic: required environment variable QUEUE_URL is missing
Error: Missing required environment variable: QUEUE_URL
Error: QUEUE_URL env var is required
Could not resolve placeholder 'QUEUE_URL' in value "${QUEUE_URL}"
environs.EnvError: Environment variable "QUEUE_URL" not set
decouple.UndefinedValueError: QUEUE_URL not found. Declare it as envvar or define a default value.
FATAL: QUEUE_URL not configured
ValueError: QUEUE_URL must be set
Expected environment variable QUEUE_URL to be set
you must set QUEUE_URL
Invalid environment variables: { QUEUE_URL: [ 'Required' ] }
required key QUEUE_URL missing value
{"level":"error","error":"QUEUE_URL is unset"}
no value for QUEUE_URL
PHP Warning:  Undefined array key "QUEUE_URL" in /app/index.php on line 3
thread 'main' panicked at src/main.rs:5:40: QUEUE_URL must be set: NotPresent
Missing configuration: QUEUE_URL
System.ArgumentNullException: Value cannot be null. (Parameter 'QUEUE_URL')
"""
_BY_CHANCE = """\
HTTP_ERROR 404 not found
Error [ERR_MODULE_NOT_FOUND]: Cannot find package x
NODE_ENV production, config not found
KeyError: 'user_id'
"""
_NOTHING = """\
GET /index.html 404 NOT FOUND
CONFIG not found in cache, loading
WARNING: SSL not set up
ERROR missing file
ECONNREFUSED not found
TLS is required
starting with QUEUE_URL=amqp://mq
TypeError: Cannot read properties of undefined
sh: 1: pyhton: not found
"""


@pytest.mark.parametrize("line", _CLEAR.splitlines())
def test_the_line_says_it(line: str) -> None:
    assert [found.name for found in lacking(line) if found.clear] == ["QUEUE_URL"]


@pytest.mark.parametrize(
    "line", ["KeyError: 'MODE'", "fatal: MODE is not set", "ERROR: MODE must be set", "missing MODE"]
)
def test_a_name_may_be_one_word(line: str) -> None:
    assert [(found.name, found.clear) for found in lacking(line)] == [("MODE", True)]


@pytest.mark.parametrize("line", _BY_CHANCE.splitlines())
def test_it_may_be_chance(line: str) -> None:
    assert [found.clear for found in lacking(line)] == [False]


@pytest.mark.parametrize("line", _NOTHING.splitlines())
def test_other_words_in_capitals_are_no_variables(line: str) -> None:
    assert lacking(line) == ()


@given(st.text(max_size=3 * LONGEST))
def test_any_text_may_come(line: str) -> None:
    assert all(found.name in line for found in lacking(line))


@pytest.mark.parametrize("word", ["A", "A_", "missing ", "KeyError: '", "set the A_B ", "env "])
def test_the_time_is_bounded(word: str) -> None:
    began = time.process_time()
    lacking(word * 10_000)
    assert time.process_time() - began < 0.5
