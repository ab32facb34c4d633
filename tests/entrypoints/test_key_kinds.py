"""Backups to keys of every kind, as a person makes and restores them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bakthat.domain.recipients import label
from tests.fixtures.age_program import program, run, run_with_terminal
from tests.fixtures.command_line import CommandLine
from tests.fixtures.ssh_keygen import SshKey, make_ssh_key


@pytest.fixture
def post_quantum(bakthat_command: CommandLine) -> str:
    """The public key; the private one is in the file `pq`."""
    made = bakthat_command("keygen", "--pq", "-o", "pq")
    assert made.code == 0
    return made.out.strip()


@pytest.fixture
def classic(bakthat_command: CommandLine) -> str:
    return bakthat_command("keygen", "-o", "classic").out.strip()


@pytest.fixture
def ssh(bakthat_command: CommandLine) -> SshKey:
    return make_ssh_key(bakthat_command.here / "id_ed25519")


def backed_up(command: CommandLine, *options: str) -> str:
    made = command("backup", "site", "-d", "local", *options)
    assert made.code == 0, made.err
    return made.lines[-1]


def test_a_backup_to_a_post_quantum_key_is_restored_and_names_it(
    bakthat_command: CommandLine, site: Path, post_quantum: str
) -> None:
    Path(bakthat_command.here, "team").write_text(f"# the team\n{post_quantum}\n")
    name = backed_up(bakthat_command, "-R", "team")
    (record,) = json.loads(bakthat_command("show", "--json").out)["backups"]
    assert record["metadata"]["encryption"] == {"scheme": "age-mlkem768x25519", "recipients": [label(post_quantum)]}
    missing = bakthat_command("restore", "site", "-d", "local", "--target", "there")
    assert missing.code == 5
    assert missing.err == f"bakthat: {name} is encrypted to {label(post_quantum)}; give the key file with -i\n"
    assert bakthat_command("restore", "site", "-d", "local", "--target", "there", "-i", "pq").code == 0
    assert (bakthat_command.here / "there" / "site" / "index.html").read_text() == "<h1>hello</h1>"


def test_post_quantum_and_classic_keys_are_not_mixed_without_the_option(
    bakthat_command: CommandLine, site: Path, post_quantum: str, classic: str
) -> None:
    both = ("-r", post_quantum, "-r", classic)
    refused = bakthat_command("backup", "site", "-d", "local", *both)
    assert refused.code == 2
    assert refused.err.endswith("name recipients of one kind, or allow it: --allow-mixed-recipients\n")
    backed_up(bakthat_command, *both, "--allow-mixed-recipients")
    for key in ("pq", "classic"):
        assert bakthat_command("verify", "site", "-d", "local", "-i", key).code == 0


def test_show_and_ls_say_to_which_keys_a_backup_is_encrypted(
    bakthat_command: CommandLine, site: Path, classic: str, ssh: SshKey
) -> None:
    name = backed_up(bakthat_command, "-r", classic, "-r", ssh.public)
    keys = f"encrypted to {classic}, {label(ssh.public)}"
    assert f"[{keys}]" in bakthat_command("show", "-v").out
    listed = bakthat_command("ls", "site", "-d", "local", "-l", "-i", str(ssh.path))
    assert listed.err == f"{name} is {keys}.\n"
    assert bakthat_command("ls", "site", "-d", "local", "-i", str(ssh.path)).err == ""
    told = json.loads(bakthat_command("ls", "site", "-d", "local", "-i", str(ssh.path), "--json").out)
    assert told["encryption"] == {"scheme": "age-recipients", "recipients": [classic, label(ssh.public)]}


def test_the_error_of_a_wrong_key_names_the_keys_that_would_fit(
    bakthat_command: CommandLine, site: Path, classic: str, ssh: SshKey
) -> None:
    name = backed_up(bakthat_command, "-r", ssh.public)
    for verb in (["restore", "--target", "there"], ["ls"]):
        wrong = bakthat_command(*verb, "site", "-d", "local", "-i", "classic")
        assert wrong.code == 5
        assert wrong.err.startswith(f"bakthat: {name}: no identity given opens it (1 tried)")
        assert wrong.err.endswith(f"; it is recorded as encrypted to {label(ssh.public)}\n")


def test_the_passphrase_of_an_ssh_key_is_asked_for_on_a_terminal(bakthat_command: CommandLine, site: Path) -> None:
    key = make_ssh_key(bakthat_command.here / "locked", passphrase="sesame")
    backed_up(bakthat_command, "-r", key.public)
    words = ["restore", "site", "-d", "local", "--target", "there", "-i", "locked"]
    shown = run_with_terminal(
        bakthat_command.command(*words),
        typed=["wrong", "sesame"],
        prompt=b"passphrase of the key file 'locked': ",
        cwd=bakthat_command.here,
        env=bakthat_command.env(),
    )
    assert "does not open the key file 'locked'; 2 tries left" in shown
    assert "sesame" not in shown
    assert (bakthat_command.here / "there" / "site").is_dir()


def test_without_a_terminal_an_encrypted_key_file_is_one_line_and_verify_checks_what_it_can(
    bakthat_command: CommandLine, site: Path
) -> None:
    key = make_ssh_key(bakthat_command.here / "locked", passphrase="sesame")
    backed_up(bakthat_command, "-r", key.public)
    refused = bakthat_command("restore", "site", "-d", "local", "--target", "there", "-i", "locked")
    assert refused.code == 5
    assert refused.err.startswith("bakthat: the key file 'locked' is encrypted, and there is no terminal to ask")
    assert refused.err.count("\n") == 1
    checked = bakthat_command("verify", "site", "-d", "local", "-i", "locked")
    assert checked.code == 0
    assert "\tnot opened: the key file 'locked' is encrypted" in checked.out
    assert checked.out.endswith("name a key file that is not encrypted with -i\n")


def test_an_archive_in_text_form_is_listed_verified_and_restored(
    bakthat_command: CommandLine, site: Path, classic: str
) -> None:
    store = bakthat_command.home / ".bakthat" / "store"
    store.mkdir(parents=True)
    packed = subprocess.run(["tar", "-cz", "site"], cwd=bakthat_command.here, capture_output=True, check=True).stdout
    text = run([program(), "-a", "-r", classic], stdin=packed)
    (store / "site.20260102030405.tgz.enc").write_bytes(text)
    assert bakthat_command("sync", "-d", "local").code == 0
    options = ("site", "-d", "local", "-i", "classic")
    assert "index.html" in bakthat_command("ls", *options).lines
    assert bakthat_command("verify", *options).code == 0
    assert bakthat_command("cat", "site", "index.html", *options[1:]).out == "<h1>hello</h1>"
    assert bakthat_command("restore", *options, "--target", "there").code == 0
    assert (bakthat_command.here / "there" / "site" / "index.html").is_file()


def test_recipients_of_a_profile_may_be_in_a_file(bakthat_command: CommandLine, site: Path, classic: str) -> None:
    Path(bakthat_command.here, "team").write_text(f"# me\n{classic}\n")
    Path(bakthat_command.home, ".bakthat.yml").write_text(
        f"default:\n  default_destination: local\n  recipients_file: {bakthat_command.here / 'team'}\n"
    )
    assert bakthat_command("backup", "site").lines[-1].endswith(".tgz.enc")
    Path(bakthat_command.here, "team").unlink()
    refused = bakthat_command("backup", "site")
    assert refused.code == 2
    assert "recipients_file of profile 'default': " in refused.err
    assert len(bakthat_command("show").lines) == 1


def test_keygen_advises_a_file_where_a_public_key_is_long(bakthat_command: CommandLine, site: Path) -> None:
    said = bakthat_command("keygen", "--pq")
    assert said.err.splitlines()[1:3] == [
        "Encrypt with `bakthat backup DIR -R FILE`, or `recipients_file: FILE` in the profile.",
        "FILE has the public key alone: `grep -o 'age1pq.*' KEY-FILE > FILE` makes it.",
    ]
    to_file = bakthat_command("keygen", "--pq", "-o", "key")
    assert "grep" not in to_file.err  # standard output is the file, as in `> key.pub`
    public = subprocess.run(["grep", "-o", "age1pq.*", bakthat_command.here / "key"], capture_output=True, check=True)
    (bakthat_command.here / "key.pub").write_bytes(public.stdout)
    assert public.stdout.decode() == to_file.out
    assert backed_up(bakthat_command, "-R", "key.pub")
