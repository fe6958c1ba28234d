"""`manage.py judge_stub`: a judge by plain rules, OpenAI-compatible, for development and demonstration."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from evals.judging import stub


class Command(BaseCommand):
    help = "Serve a judge that follows plain rules and says so. It is no model: never rely on its scores."
    requires_system_checks: list[str] = []  # it touches nothing of ours

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8321)

    def handle(self, *args: Any, **options: Any) -> None:
        server = stub.server(options["port"])
        self.stdout.write(f"stub judge at http://127.0.0.1:{server.server_address[1]}/v1, model {stub.MODEL}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("stopped")
        finally:
            server.server_close()
