"""How spans are cut into partitions."""

from agentops.common.partitions import Partitioned

ACCEPT_BACK_DAYS = 90  # how old a run may be when its first span arrives
ACCEPT_AHEAD_DAYS = 1  # how far a sender's clock may run ahead

SPAN_PARTITIONS = Partitioned(table="traces_span", every="day", ahead=7, back=ACCEPT_BACK_DAYS)
