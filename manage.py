#!/usr/bin/env python
"""Run agentops' commands: `manage.py up` starts everything (see README.md)."""

import os
import sys

from agentops import env


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")
    arguments = env.take_data_dir(sys.argv)
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(arguments)
    except env.EnvError as error:
        sys.exit(str(error))
    except OperationalError as error:
        if "--traceback" in arguments:
            raise
        sys.exit(
            f"The database does not answer: {str(error).splitlines()[0]}\n"
            "Is `manage.py up` running? Say where its data is by --data-dir or AGENTOPS_DATA_DIR."
        )


if __name__ == "__main__":
    main()
