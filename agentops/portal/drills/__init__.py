"""`manage.py drill`: a failure mode is played on a marked organisation, and the times are taken.

`ground` makes the organisation and this drill's agents; `pager` is a pager that only listens; `modes` plays, as a
customer's agent would, over HTTP; `watching` waits for the alert and the page; `containing` presses the kill switch while
agents ask for their next step; `drill` puts them in order, and `report` says how it went.
"""
