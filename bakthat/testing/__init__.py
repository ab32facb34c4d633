"""Testing support that ships with bakthat: one contract suite per port, faulty wrappers, an in-memory toolbox."""

from __future__ import annotations

import sys

# A failing contract should show its values, as the user's own tests do. pytest rewrites the assertions of modules that
# are registered before they are imported. Without pytest nothing happens here.
if "pytest" in sys.modules:
    sys.modules["pytest"].register_assert_rewrite(
        "bakthat.testing.archive_store_contract",
        "bakthat.testing.cipher_contract",
        "bakthat.testing.compressor_contract",
        "bakthat.testing.config_source_contract",
        "bakthat.testing.metadata_repo_contract",
        "bakthat.testing.metadata_repo_finding",
        "bakthat.testing.metadata_repo_suite",
        "bakthat.testing.metadata_repo_tables",
        "bakthat.testing.object_store_beside",
        "bakthat.testing.object_store_contract",
        "bakthat.testing.object_store_ranges",
        "bakthat.testing.packer_contract",
    )
