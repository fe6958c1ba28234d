"""The embedded engines and `up`, with real servers, real kills and real processes. (Not the session's engines.)"""
