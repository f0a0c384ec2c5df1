"""The commands that copy a PostgreSQL database, and put a copy back: they are PostgreSQL's own."""

from pathlib import Path
from shlex import quote

from discordianai.conversations.database_url import PASSWORD_VARIABLE, DatabaseUrl

LEFT_OUT = ("questions", "processes")
"""Open questions have tokens that let anyone write as the bot, and are not to be answered again."""


def instructions(url: DatabaseUrl, target: Path) -> str:
    """What to do instead of `backup`, without any password."""
    file, database = quote(str(target)), quote(url.text)
    without = " ".join(f"--exclude-table-data={table}" for table in LEFT_OUT)
    return (
        "nothing was copied: copy a PostgreSQL database with pg_dump, even while the bot runs:\n\n"
        f"    (umask 077; pg_dump --format=custom --no-owner --no-acl {without} --file={file} {database})\n\n"
        "and put back, while no bot runs, by\n\n"
        "    pg_restore --clean --if-exists --single-transaction --no-owner --no-acl"
        f" --dbname={database} {file}\n\n"
        f"Both take the password from ~/.pgpass or PGPASSWORD, not from {PASSWORD_VARIABLE}. The copy holds"
        " what people said: keep it as carefully as the database"
    )
