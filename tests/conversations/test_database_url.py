"""What is a URL of a PostgreSQL database, and what is said of one that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.conversations.database_url import BadUrl, is_url, parse

BASE = "postgresql://bot@db.example.org/discordianai"


@pytest.mark.parametrize(
    ("text", "hosts", "user", "database"),
    [
        (BASE, (("db.example.org", 5432),), "bot", "discordianai"),
        ("postgres://db:6432/a", (("db", 6432),), "", "a"),
        ("postgresql://[::1]:5433/a", (("::1", 5433),), "", "a"),
        ("postgresql://bot@a:1,b:2/x?target_session_attrs=read-write", (("a", 1), ("b", 2)), "bot", "x"),
        ("postgresql:///x?host=/run/postgresql", (("/run/postgresql", 5432),), "", "x"),
        ("postgresql://%2Frun%2Fpostgresql/x", (("/run/postgresql", 5432),), "", "x"),
        ("postgresql:///x?host=::1", (("::1", 5432),), "", "x"),
        ("postgresql:///x?host=a,b&port=1,2&user=u", (("a", 1), ("b", 2)), "u", "x"),
        ("postgresql://my%20bot@h/my%20bot", (("h", 5432),), "my bot", "my bot"),
    ],
)
def test_the_forms_that_libpq_takes(
    text: str, hosts: tuple[tuple[str, int], ...], user: str, database: str
) -> None:
    """The bot reads them as libpq would."""
    url = parse(text)
    assert (url.hosts, url.user, url.database) == (hosts, user, database)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://bot:s3cret@h/x",
        "postgresql://bot:s3/cr?e#t@h/x",
        "postgresql://bot:@h/x",
        "postgresql://bot:s3cret@[::1]/x",
        "postgresql://h/x?user=bot&password=s3cret",
        "postgresql://h/x?PASSWORD=s3cret",
        "postgresql://h/x?sslpassword=s3cret",
    ],
)
def test_a_password_is_refused_and_not_repeated(text: str) -> None:
    """The URL is shown in many places; the sentence says where the password belongs."""
    with pytest.raises(BadUrl, match="DATABASE_PASSWORD") as told:
        parse(text)
    assert "s3" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mysql://bot@h/x", "should begin with postgresql://"),
        ("PostgreSQL://bot@h/x", "begin with postgresql://"),
        ("postgresql:bot@h/x", "begin with postgresql://"),
        ("host=localhost dbname=bot", "begin with postgresql://"),
        ("postgresql://bot@h", "should name the database"),
        ("postgresql://bot@h/", "should name the database"),
        ("postgresql://bot@h/a/b", "should name the database"),
        ("postgresql://bot@h:0/x", "port from 1 to 65535"),
        ("postgresql://bot@h:99999999999999999999/x", "port from 1 to 65535"),
        ("postgresql://bot@::1/x", "hosts like"),
        ("postgresql://bot@h/x?port=1,2", "one port, or one for each host"),
        (f"{BASE}?slmode=require", "did you mean sslmode="),
        (f"{BASE}?sslmode", "did you mean sslmode="),
        (f"{BASE}?sslmode=require&pool_size=5", "number 2 is none"),
        (f"{BASE}?sslmode=on", "an sslmode of disable, allow"),
        (f"{BASE}?connect_timeout=soon", "connect_timeout in whole seconds"),
        (f"{BASE}?client_encoding=LATIN1", "leave out client_encoding"),
        (f"{BASE}?dbname=y", "leave out dbname"),
        (f"{BASE}%zz", "hexadecimal"),
        (f"{BASE}%00", "no %00"),
        (f"{BASE}%0A", "control characters"),
        (f"{BASE} x", "no spaces"),
        (f"{BASE}\n", "no spaces, line breaks"),
        (f"{BASE}#x", "no spaces, line breaks or #"),
        (BASE + "x" * 3000, "at most 2000 characters"),
    ],
)
def test_what_libpq_would_refuse_or_misread_is_a_mistake(text: str, said: str) -> None:
    """It is told when the settings are read, not when the bot connects."""
    with pytest.raises(BadUrl, match=said):
        parse(text)


@pytest.mark.parametrize("name", ["discordianai.sqlite3", "/var/lib/x.sqlite3", "a:b", "postgres", "x=y"])
def test_a_file_is_no_url(name: str) -> None:
    """What an operator may call a file stays one."""
    assert not is_url(name)


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("postgresql://localhost/x", True),
        ("postgresql://127.0.0.1,[::1]/x", True),
        ("postgresql:///x", True),
        ("postgresql:///x?host=/run/postgresql", True),
        ("postgresql://localhost,db.example.org/x", False),
        ("postgresql://192.168.0.7/x", False),
    ],
)
def test_whether_a_network_is_between(text: str, here: bool) -> None:
    """What crosses one should be encrypted."""
    assert parse(text).is_on_this_machine is here


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    """A mistake in the settings never is a traceback, and never shows a part of the text."""
    secret = "xXsecretXx"
    for candidate in (text, f"postgresql://{text}@{secret}", f"postgresql://{secret}:{text}", BASE + text):
        assert secret not in refusal(candidate)


def refusal(text: str) -> str:
    """What is said against it; nothing where it can be used."""
    try:
        parse(text)
    except BadUrl as error:
        return str(error)
    return ""
