"""deploy/clickhouse/users.sh: hashes of the passwords of ClickHouse's users go to the server, and no password does."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.sql_files import split_statements
from counterpoise.settings.section import read_secret

ROOT = Path(__file__).resolve().parents[3]
RECIPES = tuple(ROOT / "sql" / "recipes" / f"{name}.sql" for name in ("services", "read_only_user"))
USERS = ("migrate", "ingest", "market", "streams", "alerts", "desk", "reader")
TOOLS = ("cat", "od", "sed", "sha256sum", "tr")
"""All programs that the script may run beside ClickHouse's client. Each is in the image of the server."""
IDENTIFIED = re.compile(r"IDENTIFIED WITH sha256_hash BY '([0-9a-f]{64})' SALT '([0-9a-f]{32})'")


def run_script(
    folder: Path, secrets: Path, options: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """The script as the job runs it; the client writes down what it gets, and every program its arguments."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    noted = f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> {folder}/"
    client = f'{noted}arguments\necho "$CLICKHOUSE_PASSWORD" > {folder}/own\n{shutil.which("cat")} > {folder}/stdin\n'
    tools = {tool: f'{noted}tools\nexec {shutil.which(tool)} "$@"\n' for tool in TOOLS}
    for name, text in ({"clickhouse-client": client} | tools).items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    named = {"CLICKHOUSE_HOST": "clickhouse", "CLICKHOUSE_USER": "counterpoise", "COUNTERPOISE_DATASET": "desk_7"}
    named |= {"SECRETS": str(secrets), "RECIPES": " ".join(map(str, RECIPES)), "PATH": str(programs)} | environment
    script = ["/bin/sh", str(ROOT / "deploy" / "clickhouse" / "users.sh"), *options]
    return subprocess.run(script, env=named, capture_output=True, text=True, timeout=60, check=False)


def write_secrets(folder: Path, texts: Mapping[str, str]) -> Path:
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "clickhouse_password").write_text("admin-pass")
    for user, text in texts.items():
        (secrets / f"clickhouse_{user}_password").write_bytes(text.encode())
    return secrets


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return write_secrets(tmp_path, {user: f"{user}+pass/w0rd=\n" for user in USERS})


def sent_statements(folder: Path) -> list[str]:
    """What the client got, without comments."""
    text = (folder / "stdin").read_text(encoding="utf-8")
    return split_statements(re.sub(r"^--.*$", "", text, flags=re.MULTILINE))


def hashes(statements: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Hash and salt by user, the same in CREATE and ALTER."""
    found: dict[str, list[tuple[str, str]]] = {}
    for statement in statements:
        user = re.match(r"(?:CREATE USER IF NOT EXISTS|ALTER USER) counterpoise_([a-z]+)", statement)
        if user:
            found.setdefault(user[1], []).extend(IDENTIFIED.findall(statement))
    assert all(len(pairs) == 2 and len(set(pairs)) == 1 for pairs in found.values())
    return {user: pairs[0] for user, pairs in found.items()}


NOWHERE_TO_STORE, BAD_ARGUMENTS = 514, 36
ADMINISTRATOR = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>
    <networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <access_management>1</access_management></default></users></clickhouse>"""
MARK = "Q7#"
"""No text of the recipes and no name of a folder has it."""
PASSWORD = st.text(st.sampled_from("'\"\\`$ /&;|*?%#{}()!~\t-=azé√🔑"), min_size=4).map(MARK.__add__)
"""What a shell, sed or SQL may take for something else."""


@settings(max_examples=8)
@given(
    passwords=st.fixed_dictionaries(dict.fromkeys(USERS, PASSWORD)),
    end=st.sampled_from(["", "\n", "\r\n", "\n\n"]),
)
def test_the_server_gets_hashes_of_what_the_services_read_and_no_password(passwords: dict[str, str], end: str) -> None:
    """The client gets the recipes with the dataset, the hashes and the salts in their places, and nothing else."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        secrets = write_secrets(folder, {user: password + end for user, password in passwords.items()})
        read = {user: read_secret(None, secrets / f"clickhouse_{user}_password", "PASSWORD") for user in USERS}
        done = run_script(folder, secrets, ["--secure", "--port", "9440"])
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        statements = sent_statements(folder)
        sent = (folder / "stdin").read_text(encoding="utf-8")
        arguments = (folder / "arguments").read_text(encoding="utf-8")
        of_tools = (folder / "tools").read_text(encoding="utf-8")
        assert (folder / "own").read_text() == "admin-pass\n"
    assert arguments == "--host clickhouse --user counterpoise --multiquery --secure --port 9440\n"
    assert MARK not in sent + of_tools
    assert not [statement for statement in statements if re.match(r"SET\b", statement, re.IGNORECASE)]
    found = hashes(statements)
    assert found.keys() == set(USERS)
    expected = "".join(recipe.read_text(encoding="utf-8") for recipe in RECIPES).replace(
        " ON counterpoise.", " ON desk_7."
    )
    for user, (digest, salt) in found.items():
        secret = read[user]
        assert secret is not None and secret.get_secret_value() == passwords[user]
        # ClickHouse's own: SHA-256 of the password with the salt behind it.
        assert digest == hashlib.sha256((passwords[user] + salt).encode()).hexdigest()
        assert digest not in of_tools and salt not in of_tools
        expected = expected.replace(f"{{{user}_hash:String}}", f"'{digest}'").replace(
            f"{{{user}_salt:String}}", f"'{salt}'"
        )
    assert sent == expected
    assert len({salt for _, salt in found.values()}) == len(USERS)


def test_the_engine_parses_each_statement_that_is_sent(tmp_path: Path, secrets: Path, sample: ClickHouse) -> None:
    assert run_script(tmp_path, secrets).returncode == 0
    statements = sent_statements(tmp_path)
    for statement in statements:
        [(formatted,)] = sample.query("SELECT formatQuery({text:String})", {"text": statement})
        assert IDENTIFIED.findall(formatted) == IDENTIFIED.findall(statement)
    assert not any(re.search(r"\{\w+:\w+\}", statement) for statement in statements)
    databases = {found[1] for text in statements if (found := re.match(r"GRANT .* ON (\S+)\.", text, re.DOTALL))}
    assert databases == {"desk_7", "system", "*"}


def test_the_engine_takes_the_hashes_and_its_log_has_none(tmp_path: Path, secrets: Path) -> None:
    """The engine has nowhere to store a user here, so CREATE USER ends there, after the hash and the salt were read."""
    assert run_script(tmp_path, secrets).returncode == 0
    users = [text for text in sent_statements(tmp_path) if text.startswith("CREATE USER")]
    users = [text.partition("\n")[0] for text in users]  # a profile of settings could not be stored either
    short = "CREATE USER shorter IDENTIFIED WITH sha256_hash BY 'ab' SALT 'cd'"
    before = "SET param_desk_password = 'in the clear'"
    (tmp_path / "users.xml").write_text(ADMINISTRATOR)
    log = "<query_log><database>system</database><table>query_log</table></query_log>"
    (tmp_path / "config.xml").write_text(
        f"<clickhouse><users_config>{tmp_path / 'users.xml'}</users_config>{log}</clickhouse>"
    )
    question: dict[str, object] = {"config": str(tmp_path / "config.xml"), "data": str(tmp_path / "data"), "log": True}
    question["steps"] = [(None, text) for text in (*users, short, before)]
    program = [sys.executable, str(Path(__file__).with_name("as_roles.py"))]
    done = subprocess.run(program, input=json.dumps(question), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert len(users) == len(USERS)
    assert answer["codes"] == [NOWHERE_TO_STORE] * len(users) + [BAD_ARGUMENTS, 0]
    logged = "\n".join(answer["log"])
    assert logged.count("CREATE USER IF NOT EXISTS counterpoise_") == len(users)
    assert not [
        word
        for digest_and_salt in hashes(sent_statements(tmp_path)).values()
        for word in digest_and_salt
        if word in logged
    ]
    assert "in the clear" in logged, "why the script sends no parameters"


def test_one_recipe_needs_the_secrets_of_its_own_users(tmp_path: Path) -> None:
    secrets = write_secrets(tmp_path, {"reader": "p"})
    assert run_script(tmp_path, secrets, RECIPES=str(RECIPES[1])).returncode == 0
    assert hashes(sent_statements(tmp_path)).keys() == {"reader"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "clickhouse_desk_password").unlink(), "clickhouse_desk_password is missing or empty"),
        (lambda folder: (folder / "clickhouse_reader_password").write_text(""), "reader_password is missing or empty"),
        (
            lambda folder: (folder / "clickhouse_reader_password").write_text("\n\n"),
            "reader_password is missing or empty",
        ),
        (
            lambda folder: (folder / "clickhouse_alerts_password").write_text("a\nb"),
            "alerts_password has more than one line",
        ),
    ],
)
def test_the_script_sends_nothing_without_all_secrets(
    tmp_path: Path, secrets: Path, change: Callable[[Path], object], said: str
) -> None:
    change(secrets)
    done = run_script(tmp_path, secrets)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "stdin").exists()


@pytest.mark.parametrize("tool", ["od", "sha256sum", "tr"])
def test_the_script_sends_nothing_where_it_cannot_hash(tmp_path: Path, secrets: Path, tool: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in TOOLS:
        if name != tool:
            (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "clickhouse-client").write_text(f"#!/bin/sh\n: > {tmp_path}/stdin\n")
    (programs / "clickhouse-client").chmod(0o755)
    environment = {"SECRETS": str(secrets), "RECIPES": str(RECIPES[0]), "PATH": str(programs)}
    environment |= {"CLICKHOUSE_HOST": "clickhouse", "CLICKHOUSE_USER": "counterpoise"}
    script = ["/bin/sh", str(ROOT / "deploy" / "clickhouse" / "users.sh")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and tool in done.stderr
    assert not (tmp_path / "stdin").exists()


@pytest.mark.parametrize("name", ["x'; DROP DATABASE y; --", "Upper", "a.b", "a/b"])
def test_the_script_refuses_a_name_that_is_no_dataset(tmp_path: Path, secrets: Path, name: str) -> None:
    done = run_script(tmp_path, secrets, COUNTERPOISE_DATASET=name)
    assert done.returncode == 2 and "expected lower-case letters" in done.stderr
    assert not (tmp_path / "stdin").exists()


IN_CLEAR = re.compile(r"(?i)param_\w*(password|secret|token)|--password[= ]|\bBY \{\w*password|\bBY '[^'…]+'(?! SALT)")
"""A password as a parameter, as an argument, or as text of a statement."""


def test_no_recipe_and_no_page_puts_a_password_on_a_command_line_or_into_a_parameter() -> None:
    assert IN_CLEAR.search("clickhouse-client --param_desk_password=x")
    assert IN_CLEAR.search("ALTER USER a IDENTIFIED WITH sha256_password BY {desk_password:String}")
    folders = ("sql", "deploy", "docs", "scripts")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file()]
    texts = {
        file: file.read_bytes().decode(errors="replace")
        for file in [*files, ROOT / "docker-compose.yml", ROOT / "README.md"]
    }
    found = {str(file.relative_to(ROOT)): match[0] for file, text in texts.items() if (match := IN_CLEAR.search(text))}
    assert found == {}
