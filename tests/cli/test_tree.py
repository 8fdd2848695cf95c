"""One tree of commands: the same verbs and options for key files and for Ape's accounts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from eth_account import Account

from d2m.chain.errors import BadKeyFile
from d2m.chain.signer import write_key_file
from d2m.cli.access import KeyFileAccess, NoPassphrase, key_signer
from d2m.cli.commands import buyer, cone, deploy, market, seller
from d2m.cli.main import PARTS, main
from scripts._wallet import ApeAccess

GROUPS = (seller, cone, buyer, market)
OWN = {"rpc", "key", "passphrase_file", "network", "account"}
"""How a command names its node and its account differs."""
HEAVY = ("torch", "ape", "matplotlib", "web3", "sklearn")


def tree(access: KeyFileAccess | ApeAccess) -> dict[str, set[str]]:
    """Options by command."""
    found = {"deploy": options(deploy.command(access))}
    for module in GROUPS:
        group = module.commands(access)
        assert group.name is not None
        for name, command in group.commands.items():
            found[f"{group.name} {name}"] = options(command)
    return found


def options(command: click.Command) -> set[str]:
    return {each.name for each in command.params if each.name} - OWN


def test_commands_are_the_same_by_either_way() -> None:
    assert tree(KeyFileAccess()) == tree(ApeAccess())


def test_the_short_help_of_the_tree_is_that_of_its_groups() -> None:
    assert {name for name in PARTS if name != "deploy"} == {
        module.commands(KeyFileAccess()).name for module in GROUPS
    }
    said = CliRunner().invoke(main, ["--help"]).output
    for name, part in PARTS.items():
        assert name in said
        assert part.help in said


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from d2m.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.fixture
def leaving(tmp_path: Path) -> list[str]:
    """A command that would sign, on a node that is not there."""
    record = tmp_path / "record"
    record.touch()
    return ["cone", "leave", "--rpc", "http://127.0.0.1:9", "--deployment", str(record), "--yes"]


@pytest.mark.parametrize("signing", [[], ["--account", "me", "--key", __file__]])
def test_one_account_is_named(leaving: list[str], signing: list[str]) -> None:
    done = CliRunner().invoke(main, [*leaving, *signing])
    assert done.exit_code == 2
    assert "--account NAME or --key FILE" in done.output


def test_a_name_that_ape_does_not_know(
    leaving: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path))
    done = CliRunner().invoke(main, [*leaving, "--account", "me"])
    assert done.exit_code == 1
    assert (
        done.output == f"Error: {tmp_path / 'accounts' / 'me.json'} is not there: name a key file\n"
    )


def test_an_account_is_looked_at_by_the_name_of_its_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account.create()
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path))
    write_key_file(tmp_path / "accounts" / "me.json", account.key, "secret", work=2)
    kind = KeyFileAccess.address
    assert kind.convert("me", None, None) == account.address
    assert kind.convert(account.address.lower(), None, None) == account.address
    with pytest.raises(click.BadParameter, match="no address and no account"):
        kind.convert("you", None, None)


def test_without_a_terminal_a_passphrase_is_not_asked_for(tmp_path: Path) -> None:
    write_key_file(tmp_path / "key.json", bytes(31) + b"\1", "secret", work=2)
    signer = key_signer(tmp_path / "key.json", None)
    with pytest.raises(NoPassphrase, match="give --passphrase-file"):
        signer.sign_text("a")
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    for mode in (0o640, 0o604, 0o620):
        secret.chmod(mode)
        with pytest.raises(BadKeyFile, match=f"is open to others: run `chmod 600 {secret}`"):
            key_signer(tmp_path / "key.json", secret).sign_text("a")
    secret.chmod(0o600)
    assert key_signer(tmp_path / "key.json", secret).sign_text("a")
