"""OTLP/HTTP on the wire: bytes in, plain Python values out, and the answers a client expects (STANDARDS, section 5).

Pure functions. Nothing PostgreSQL `text` or `jsonb` refuses comes out: no NUL, no lone surrogate, no NaN or
Infinity, no integer beyond 64 bits, no nesting deeper than `MAX_VALUE_DEPTH`.
"""

from agentops.traces.otlp.compression import decode_gzip
from agentops.traces.otlp.decode import count_metrics, decode_logs, decode_traces
from agentops.traces.otlp.errors import MalformedRequest, TooLarge, TooMany
from agentops.traces.otlp.limits import check_items, check_json
from agentops.traces.otlp.responses import CONTENT_TYPES, INVALID_ARGUMENT, error_status, export_response
from agentops.traces.otlp.types import Encoding, RawLog, RawLogs, RawSpan, RawSpans, Resource, Signal

__all__ = [
    "CONTENT_TYPES",
    "INVALID_ARGUMENT",
    "Encoding",
    "MalformedRequest",
    "RawLog",
    "RawLogs",
    "RawSpan",
    "RawSpans",
    "Resource",
    "Signal",
    "TooLarge",
    "TooMany",
    "check_items",
    "check_json",
    "count_metrics",
    "decode_gzip",
    "decode_logs",
    "decode_traces",
    "error_status",
    "export_response",
]
