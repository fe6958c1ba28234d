"""Reads of the audit log."""

from audit.queries.entries import Found, Listed, Page, blob_of, find_entries, get_entry

__all__ = ["Found", "Listed", "Page", "blob_of", "find_entries", "get_entry"]
