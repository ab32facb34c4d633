"""`backup --dry-run`: reports what a backup would store and leave out."""

from __future__ import annotations

from bakthat.domain.archive_format import storage_form
from bakthat.domain.backup import Backup, whole_seconds
from bakthat.domain.backup_metadata import BackupMetadata, Facts
from bakthat.domain.stored_name import StoredName
from bakthat.usecases.backup_request import BackupRequest, facts_of_source, series_for
from bakthat.usecases.exclusions import exclusions_for
from bakthat.usecases.storing.facts import facts_of, report_notices
from bakthat.usecases.streams.archive_stream import packer_of
from bakthat.usecases.tools import Tools


def survey_backup(request: BackupRequest, tools: Tools) -> Backup:
    """The record that the backup would have, as far as it is known: the name of a plain backup, a size of 0, and
    `dry_run` in its metadata.

    Opens no file of the source, contacts no store, asks for no key, and records nothing. Raises as `backup` does for
    the source, the name and what to leave out.
    """
    kind = tools.examine(request.source)
    form = storage_form(kind, request.compression)
    name = StoredName(series=series_for(request, form), when=whole_seconds(tools.clock()), suffix=form.suffix)
    exclusions = exclusions_for(request.exclusions, request.source, kind, request.destination, tools)
    packer = packer_of(form.format, tools)
    report = packer.survey(request.source, exclusions=exclusions, on_excluded=request.on_excluded)
    facts: Facts = {"dry_run": True, **facts_of_source(request, form, tools)}
    report_notices(f"a backup of {name.series}", report, tools)
    return Backup(
        backend=request.destination,
        backup_date=name.when,
        filename=name.series,
        stored_filename=str(name),
        size=0,
        tags=request.tags,
        last_updated=name.when,
        metadata=BackupMetadata.of(**facts).changed(**facts_of(report)),
    )
