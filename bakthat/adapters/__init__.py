"""Implementations of the ports, one folder for each technology. They do not import each other.

A new store (SFTP, WebDAV, …) is best a package of its own: docs/adapters.md has a whole one. One of bakthat's own is a
module here that implements `bakthat.ports.object_store` and passes `bakthat.testing.object_store_contract`, and a
`DestinationType` in `bakthat.entrypoints.built_in_destinations`. `local_folder` is the smallest example.
"""
