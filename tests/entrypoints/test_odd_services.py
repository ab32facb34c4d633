"""The command line against services that are not what they should be: every verb says one clear line, and no backup is
lost from the list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakthat.testing.faulty_proxy import Doing, Fault, FaultyProxy, answering
from tests.entrypoints.test_cli_services import configure
from tests.fixtures.command_line import CommandLine

FOREVER = 10_000


@pytest.fixture
def proxy(moto_url: str) -> Iterator[FaultyProxy]:
    with FaultyProxy(moto_url) as proxy:
        yield proxy


def page(status: int) -> Doing:
    """A web site's page for whatever is asked."""
    answered = answering(status)

    def answer(request, forward):  # type: ignore[no-untyped-def]
        made = answered(request, forward)
        made.body = b"<!DOCTYPE html><html><body><p>Hello<br></body></html>"
        made.headers = [("Content-Type", "text/html")]
        return made

    return answer


def verbs(stored: str, bucket: object) -> dict[str, list[str]]:
    return {
        "backup": ["backup", "site", "--prompt", "no"],
        "sync": ["sync"],
        "restore": ["restore", "site", "--target", "out"],
        "restore --from": ["restore", "--from", f"s3://{bucket}/{stored}", "--target", "out"],
        "rotate_backups": ["rotate_backups", "site"],
        "remove_older_than": ["remove_older_than", "site", "1s"],
        "delete": ["delete", stored, "--yes"],
    }


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (page(200), "check endpoint_url"),
        (page(404), "check endpoint_url"),
        (answering(404, "NoSuchBucket"), "the bucket does not exist; correct s3_bucket"),
        (answering(400), "region_name, and whether the credentials have expired"),
    ],
    ids=["a site with a page for every address", "a site without", "no bucket", "a bare 400"],
)
def test_every_verb_says_in_one_line_what_is_wrong(
    bakthat_command: CommandLine, proxy: FaultyProxy, site: object, answer: Doing, says: str
) -> None:
    settings = configure(bakthat_command, proxy.url, rotation={"days": 1})
    stored = bakthat_command("backup", "site", "--prompt", "no").out.strip()
    proxy.inject(Fault("*", answer, times=FOREVER))
    for verb, words in verbs(stored, settings["s3_bucket"]).items():
        said = bakthat_command(*words)
        assert (said.code, said.out) == (4, ""), (verb, said)
        line = said.err.splitlines()[-1]
        assert line.startswith("bakthat: "), (verb, said.err)
        assert says in line, (verb, said.err)
        assert "Traceback" not in said.err
    assert stored in bakthat_command("show").out


def test_verify_says_what_is_wrong_with_the_service_and_calls_no_backup_bad(
    bakthat_command: CommandLine, proxy: FaultyProxy, site: object
) -> None:
    configure(bakthat_command, proxy.url)
    stored = bakthat_command("backup", "site", "--prompt", "no").out.strip()
    proxy.inject(Fault("*", page(200), times=FOREVER))
    said = bakthat_command("verify", "--all")
    assert said.code == 4
    assert "check endpoint_url" in said.out + said.err
    assert stored in bakthat_command("show").out


def test_a_listing_that_is_not_complete_marks_no_backup_as_vanished(
    bakthat_command: CommandLine, proxy: FaultyProxy, site: object
) -> None:
    configure(bakthat_command, proxy.url)
    stored = bakthat_command("backup", "site", "--prompt", "no").out.strip()

    def begins_anew(request, forward):  # type: ignore[no-untyped-def]
        answer = forward(request)
        answer.body = answer.body.replace(b"<IsTruncated>false</IsTruncated>", b"<IsTruncated>true</IsTruncated>\n")
        return answer

    # Neither the listing has the archive, nor does HEAD know it.
    proxy.inject(Fault("ListObjectsV2", begins_anew, times=FOREVER), Fault("ListObjects", begins_anew, times=FOREVER))
    proxy.inject(Fault("HeadObject", answering(404), times=FOREVER))
    said = bakthat_command("sync")
    assert (said.code, said.out) == (4, "")
    assert "the listing does not continue" in said.err
    assert stored in bakthat_command("show").out


def test_a_storage_class_that_the_service_does_not_know_is_named(
    bakthat_command: CommandLine, moto_url: str, site: object
) -> None:
    configure(bakthat_command, moto_url, storage_class="COLDEST")
    said = bakthat_command("backup", "site", "--prompt", "no")
    assert (said.code, said.out) == (2, "")
    assert "correct storage_class" in said.err


def test_restore_reports_a_missing_object_like_an_unknown_name(
    bakthat_command: CommandLine, proxy: FaultyProxy
) -> None:
    settings = configure(bakthat_command, proxy.url)
    said = bakthat_command("restore", "--from", f"s3://{settings['s3_bucket']}/absent.20260101000000.tgz")
    assert (said.code, said.out) == (1, "")
    assert "absent.20260101000000.tgz: not found" in said.err
