"""How the audit log is cut into partitions."""

from agentops.common.partitions import Partitioned

ENTRY_PARTITIONS = Partitioned(table="audit_entry", every="month", ahead=2, back=1)
