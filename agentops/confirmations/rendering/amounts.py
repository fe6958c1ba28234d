"""Amounts in words, where their unit is known beyond doubt; a guess would be worse than the bare number."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from agentops.catalog import pointers

# ISO 4217: how many decimals the minor unit of a currency is. What is not here is shown as the bare number.
_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_EXPONENT = {code: decimals for decimals, codes in _DECIMALS.items() for code in codes.split()}
_MINOR = ("_minor", "_minor_units", "_cents", "AmountMinor", "Cents")


def reads(pointer: str, value: Any, arguments: Any) -> str:
    """`1,250.00 EUR`, from an amount, its name and a currency beside it; "" where one of them leaves a doubt."""
    number, currency = exact(pointer, value, arguments), _currency(pointer, arguments)
    return f"{number:,f} {currency}" if number is not None and currency else ""


def exact(pointer: str, value: Any, arguments: Any) -> Decimal | None:
    """An amount in its major unit; as it stands where its name says nothing of minor units. None: it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or str(value).strip() != str(value) or abs(number) >= 10**18:
        return None
    if not _is_minor(pointer):
        return number
    exponent = _EXPONENT.get(_currency(pointer, arguments))
    return None if exponent is None or number != number.to_integral_value() else number.scaleb(-exponent)


def _is_minor(pointer: str) -> bool:
    return pointer.endswith(_MINOR)


def _currency(pointer: str, arguments: Any) -> str:
    """The code that stands beside the amount, where it is one of ISO 4217."""
    around = pointers.find(pointer.rpartition("/")[0], arguments) if pointer.count("/") > 1 else arguments
    found = around.get("currency") if isinstance(around, dict) else None
    return found if isinstance(found, str) and found in _EXPONENT else ""
