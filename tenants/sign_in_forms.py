"""allauth's forms, where ours differ."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm


class SignInForm(LoginForm):
    """Ready to be typed into: nobody comes to this page for anything else."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["remember"].label = "Stay signed in"
        self.fields["login"].widget.attrs["autofocus"] = True
