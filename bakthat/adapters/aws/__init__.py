"""Amazon S3, services that are compatible with it, and Glacier's vaults.

- `client`: a boto3 client: endpoint, credentials, timeouts, retries (what becomes of a 503).
- `settings`: endpoint and region of AWS's own settings. `errors`: errors of services as those of `bakthat.errors`.
  `answer`: one request and its answer. `daemon_threads`: threads for requests.
- `s3`: the object store. `s3_upload` and below it `s3_multipart`, `s3_object_write`, `s3_writer`, `s3_part_body`,
  `s3_part_sizes`, `s3_features`, `s3_write_claim`, `s3_bucket`; `s3_download` and below it `s3_ranges`; `s3_listing`;
  `s3_head`.
- `s3_archive_class`: objects in GLACIER and DEEP_ARCHIVE, as an archive store.
- `glacier`: a vault, as an archive store. Below it `glacier_vault` (requests), `glacier_upload`, `glacier_jobs`,
  `glacier_output` (reading), `glacier_tree_hash`.
"""
