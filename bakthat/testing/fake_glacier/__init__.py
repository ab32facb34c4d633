"""`FakeGlacier`: a vault service on a loopback port, for the real boto3 client.

It implements the REST API of 2012-06-01 as far as bakthat uses it, and checks what the real one checks: the tree hash
of every upload, of every part and of the whole; where parts begin and end; that none is missing; descriptions; part
sizes. No retrieval is ready until the test says so:

    with FakeGlacier() as service:
        service.create_vault("backups")
        store = GlacierArchiveStore(service.client(), "backups")
        job = store.request(store.upload(body, description="a.20260102000000.tgz"))
        service.finish(job)

Faults are scripted beforehand: `cut_upload_at`, `cut_download_at`, `damage_download_at`, `lose_answers`, `refuse`,
`deny`. Archives are files, so that archives of any size fit.
"""

from __future__ import annotations

from bakthat.testing.fake_glacier.http_messages import ServiceError
from bakthat.testing.fake_glacier.records import Archive, Job, Upload, Vault
from bakthat.testing.fake_glacier.service import FakeGlacier

__all__ = ["Archive", "FakeGlacier", "Job", "ServiceError", "Upload", "Vault"]
