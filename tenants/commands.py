"""What the commands of this app share: a password from stdin, one JSON object at the end, refusals as exit code 1."""

from __future__ import annotations

import getpass
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.common.errors import DomainError
from audit.types import Actor, operator


class DomainCommand(BaseCommand):
    """Translates in, makes one domain call (`run`), translates out."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        """Do it; answer the JSON object and the sentence for people."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer, sentence = self.run(**options)
        except DomainError as refusal:
            details = [problem.detail for problem in refusal.problems if problem.detail not in refusal.detail]
            raise CommandError("\n".join([refusal.detail, *details])) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(self.style.SUCCESS(sentence))

    @staticmethod
    def by() -> Actor:
        """Whoever runs the command, by their login on this machine."""
        try:
            return operator(getpass.getuser())
        except (KeyError, OSError):
            return operator()


def add_password(parser: CommandParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from the first line of standard input"
    )


def read_password(options: dict[str, Any]) -> str:
    """The password: the first line of stdin with --password-stdin, else typed at the terminal."""
    if options["password_stdin"]:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass.getpass("Password for a new account: ")
    else:
        raise CommandError("Give --password-stdin, and the password on standard input.")
    if not password:
        raise CommandError("The password is empty.")
    return password
