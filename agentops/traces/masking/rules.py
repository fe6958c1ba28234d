"""What is masked. Every pattern is linear: bounded repeats, and look-behinds that let a token start only once."""

from __future__ import annotations

import re

RULESET_VERSION = "2026-11-25.2"

RULES = ("email", "card", "iban", "ssn", "phone", "ipv4", "secret")
DEFAULT_RULES = frozenset(RULES) - {"ipv4"}

# An e-mail address is looked for around each "@".
EMAIL_LOCAL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
EMAIL_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])")
MAX_LOCAL = 256
# Anything of nine digits or more with the separators people write; decided by the checks. It begins with a plain
# character set so that the regex engine skips everything else at the speed of a search.
NUMBER = re.compile(r"[0-9](?:[ ().\-/]{0,2}[0-9]){8,22}(?![0-9A-Za-z])")
NINE_DIGITS = re.compile(r"[0-9](?:[ ().\-/]{0,2}[0-9]){8}")
SSN = re.compile(r"(?!000|666|9)[0-9]{3}([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}")
NATIONAL_PHONE = re.compile(
    r"\(?[0-9]{2,5}\)?(?:[ .\-/][0-9]{2,5}){2,4}|\([0-9]{2,5}\) ?[0-9]{2,5}(?:[ .\-][0-9]{2,5}){0,3}"
)
DATE_FIRST = re.compile(r"(?:19|20)[0-9]{2}[-./ ](?:0?[1-9]|1[0-2])[-./ ]")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
IPV4 = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9]|\.[0-9])")

# Tokens known by their shape: a run of `TOKEN_RUN` or more of these characters that starts like one of them. The run
# begins where a word begins, so "ask-the-team…" is no sk- key.
TOKEN_RUN = 20
RUN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_RUN},8000}}")
TOKEN_PREFIXES = (
    *("AKIA", "ASIA", "ABIA", "ACCA"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("sk-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"),
    *("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"),
    *("aok_", "AIza", "hf_", "npm_", "eyJ"),
)
TOKEN = re.compile(
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|gh[oprsu]_[A-Za-z0-9]{12,255}"
    r"|github_pat_[A-Za-z0-9_]{12,255}"
    r"|glpat-[A-Za-z0-9_-]{12,255}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,255}"
    r"|sk-[A-Za-z0-9_-]{13,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}"
    r"|xapp-[A-Za-z0-9-]{10,255}"
    r"|aok_[A-Za-z0-9_.-]{12,255}"
    r"|AIza[A-Za-z0-9_-]{30,64}"
    r"|hf_[A-Za-z0-9]{16,255}"
    r"|npm_[A-Za-z0-9]{16,255}"
    r"|eyJ[A-Za-z0-9_-]{6,4000}\.[A-Za-z0-9_-]{6,8000}\.[A-Za-z0-9_-]{0,2000}"
)
BEARER = re.compile(
    r"(?i)(?<![a-z0-9])((?:bearer|authorization\\*[\"']?\s{0,3}[:=]\s{0,3}\\*[\"']?(?:basic|token))\s{1,3})([a-z0-9._~+/=-]{12,4000})"
)
# password=…, "api_key": "…", also with the escaped quotes of JSON inside JSON.
NAMED = re.compile(
    r"(?i)(?<!\[hash:)((?:password|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key"
    r"|(?:access|refresh|auth|session|bearer|api|id)[_-]?token|client[_-]?secret)"
    r"\\{0,8}[\"']?\s{0,3}(?:=>|[:=])\s{0,3}\\{0,8}[\"']?)([^\s\"'\\,;&<>\[\]{}()]{4,512})"
)
URL_PASSWORD = re.compile(r"(://[^\s/:@\"'\\]{0,128}:)([^\s/@\"'\\]{1,256})(@)")
PEM_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
PEM_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

# What a text must hold for a named secret to be worth looking for, as a skeleton: in lower case, "p" read as "w", and
# `SKELETON_DROPS` left out. Half the text is half the work, and password and passphrase look alike.
SKELETON_DROPS = b"aeiouAEIOUfghjlmvxqFGHJLMVXQ0123456789.,;{}[]()/"
NAME_HINTS = (
    "ssw",  # password, passwd, passphrase
    "wwd",  # pwd
    "scrt",  # secret
    "ky",  # key
    "tkn",  # token
    "trz",  # authorization
    'ck":',  # "cookie": and "set-cookie":
    "brr",  # bearer
)
# The same, exactly, before the patterns themselves are tried on one string.
NAMED_STEMS = (
    *("password", "passwd", "passphrase", "pwd", "secret"),
    *("api_key", "api-key", "apikey", "access_key", "access-key", "accesskey"),
    *("private_key", "private-key", "privatekey"),
    "token",
)

# Values under these keys are secrets whatever they look like (lower case, without separators).
SECRET_KEYS = frozenset(
    {
        "accesskey",
        "accesstoken",
        "apikey",
        "apitoken",
        "authorization",
        "authtoken",
        "awssecretaccesskey",
        "bearertoken",
        "clientsecret",
        "cookie",
        "idtoken",
        "passphrase",
        "passwd",
        "password",
        "privatekey",
        "proxyauthorization",
        "pwd",
        "refreshtoken",
        "secret",
        "secretaccesskey",
        "secretkey",
        "sessiontoken",
        "setcookie",
        "xapikey",
    }
)
SECRET_ENDINGS = ("password", "passwd", "secret", "apikey", "secretkey", "privatekey", "accesstoken")
