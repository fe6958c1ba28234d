"""Reads of the catalog: the guard's (raw SQL, cached), and those of pages and the API."""

from agentops.catalog.queries.contacts import contact_set, contact_sets, contacts
from agentops.catalog.queries.policy import forget, policy

__all__ = ["contact_set", "contact_sets", "contacts", "forget", "policy"]
