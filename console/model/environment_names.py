"""Which environment variables hold secrets, by their names and by their values.

In doubt a value is hidden: a masked harmless value costs a look elsewhere, a shown secret
costs a rotation.
"""

import re
from typing import Final

from console.secret import MASK

# fmt: off
_WORDS: Final = frozenset((
    "PASS", "PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN", "TOKENS",
    "KEY", "KEYS", "APIKEY", "CREDENTIAL", "CREDENTIALS", "CREDS", "CRED", "AUTH", "SALT",
    "PEPPER", "DSN", "WEBHOOK", "COOKIE", "SIGNATURE", "SIGNING", "PRIVATE", "JWT", "HMAC",
    "PIN", "OTP", "BEARER", "KEYTAB",
))
# fmt: on
_PARTS: Final = re.compile(
    "PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|APIKEY|ACCESSKEY|PRIVATEKEY|CREDENTIAL|"
    "CONNECTIONSTRING|CONNSTR"
)
_MODEST: Final = re.compile(
    "EXPIRE|EXPIRES|EXPIRY|EXPIRATION|MINUTES|SECONDS|HOURS|DAYS|TTL|LENGTH|SIZE|ROUNDS|"
    "ENABLED|DISABLED|REQUIRED|COUNT|PORT"
)
_FIGURE: Final = re.compile(r"-?\d{1,9}(\.\d{1,6})?[a-z]?|true|false|yes|no|on|off", re.I)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# The look-behind keeps a long run of letters from being tried at each of them.
_SCHEME: Final = r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://"
_LONGEST: Final = 4_000

_VALUES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    # Keys in PEM, whole: nothing of them is of use.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.S), MASK),
    # scheme://user:password@host; up to the last @, as passwords may hold one.
    (re.compile(rf"({_SCHEME}[^\s/?#:@]*):\S*@", re.I), rf"\1:{MASK}@"),
    # scheme://token@host: a long user without a password is a token (Sentry, GitHub).
    (re.compile(rf"({_SCHEME})[^\s/?#:@]{{16,}}@", re.I), rf"\1{MASK}@"),
    # Before the next one, which would take `Bearer` itself for the value.
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}", re.I), rf"\1 {MASK}"),
    # name=value of libpq, ODBC and query strings, "name": "value" of JSON.
    (
        re.compile(
            r"((?:(?:password|passwd|pwd|passphrase|secret|token|api_?key|access_?key|"
            r"account_?key)[a-z_]*|\bsig|signature|authorization|credentials?)[\"']?\s*[=:]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s;&,\"']+)",
            re.I,
        ),
        rf"\1{MASK}",
    ),
    # Tokens that say by their first letters what they are.
    (
        re.compile(
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|sk_live_|rk_live_|sk-|"
            r"dckr_pat_|npm_|pypi-|hvs\.|AKIA|ASIA|AIza|SG\.|key-)[\w.-]{10,}"
        ),
        MASK,
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"), MASK),
    (re.compile(r"(https://hooks\.slack\.com/)\S+", re.I), rf"\1{MASK}"),
    (re.compile(r"(https://[\w.-]*discord(?:app)?\.com/api/webhooks/)\S+", re.I), rf"\1{MASK}"),
)


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    words = re.split(r"[^A-Za-z0-9]+", _CAMEL.sub("_", name))
    upper = [word.upper() for word in words if word]
    if "PUBLIC" in upper or name in ("PWD", "OLDPWD", "SSH_AUTH_SOCK"):
        return False
    return bool(_WORDS.intersection(upper) or _PARTS.search("".join(upper)))


def masked_text(text: str) -> str:
    """`text` without what looks like a secret by itself: credentials in URLs, keys, tokens.

    What is longer than any setting (a file, a key store) is hidden whole.
    """
    if len(text) > _LONGEST:
        return f"{MASK} ({len(text)} characters)"
    for pattern, replacement in _VALUES:
        text = pattern.sub(replacement, text)
    return text


def masked(name: str, value: str) -> str:
    """The value that may be shown: ``***`` for a secret, ``postgres://user:***@host``.

    The path in ``X_FILE`` and the figure in ``TOKEN_TTL=30`` are shown: they are no secrets.
    """
    if not value or not is_secret(name):
        return masked_text(value)
    last = re.split(r"[^A-Za-z0-9]+", name.upper())[-1]
    if last in ("FILE", "PATH") and value.startswith("/") and "\n" not in value:
        return value
    if last == "ALGORITHM" or (_MODEST.fullmatch(last) and _FIGURE.fullmatch(value)):
        return value
    return MASK
