"""`up --demo`: two organisations with people of every role, and simulated agents that send what real ones would.

`world` makes the organisations through the services. Everything else is a customer: it knows the portal's address and
an API key, and speaks OTLP over HTTP with the OpenTelemetry SDK. What an agent does is written down once as a tree of
steps (`steps`, made by the stories in `agents` and `scenarios`), and said in the dialect of its instrumentation
(`dialects`). `timetable` decides when, `stage` lets it happen, and `simulator` drives both.
"""
