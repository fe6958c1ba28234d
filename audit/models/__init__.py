"""The ledger that customers can check."""

from audit.models.entry import Blob, Entry
from audit.models.keeping import ErasedFields, Erasure, Hold, Keeping
from audit.models.leaving import CheckpointDelivery, Export, ExportPart, Stream
from audit.models.sealing import Checkpoint, Finding, Head, Leaf, ManifestCursor, Node, Pending, SigningKey

__all__ = [
    "Blob",
    "Checkpoint",
    "CheckpointDelivery",
    "Entry",
    "ErasedFields",
    "Erasure",
    "Export",
    "ExportPart",
    "Finding",
    "Head",
    "Hold",
    "Keeping",
    "Leaf",
    "ManifestCursor",
    "Node",
    "Pending",
    "SigningKey",
    "Stream",
]
