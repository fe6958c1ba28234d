"""Our own people in the demo: what they make of the eight failure modes that agents play all the time.

Detectors find some of them by themselves, and leave an alert. Of the others a person says that it is an incident, as one
would who reads the run. `cases` says which is which, and what people find out; `incidents` and `postmortems` do it through
the services, a step at a time, so that a demo that is started again goes on where it was.
"""
