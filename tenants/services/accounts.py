"""Accounts of people, as far as the other services need them."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from tenants.errors import AccountDeactivated, from_validation
from tenants.models import User


def find_or_create(*, email: str, name: str, password: str | None) -> tuple[User, bool]:
    """The account of an address, made where there is none; answers whether it was made.

    An existing account keeps its password and name: whoever adds somebody to one organisation must not be able to
    take over an account that also opens others. Without a password a new account can be entered only by a link.
    Raises InvalidInput for an address or a password that will not do, AccountDeactivated for a closed account.
    """
    address = email.strip().lower()
    _check("/email", lambda: validate_email(address))
    found = User.objects.filter(email__iexact=address).first()
    if found is None:
        if password is not None:
            _check("/password", lambda: validate_password(password, User(email=address, name=name)))
        try:
            with transaction.atomic():  # a savepoint: the same address may be added by two at once
                return User.objects.create_user(address, password, name=name.strip()), True
        except IntegrityError:
            found = User.objects.get(email__iexact=address)
    if not found.is_active:
        raise AccountDeactivated(f"The account {address} is deactivated.")
    return found, False


def _check(pointer: str, validate: Callable[[], None]) -> None:
    try:
        validate()
    except ValidationError as error:
        raise from_validation(error, pointer=pointer) from error
