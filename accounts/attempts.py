"""Failed sign-ins slow down: per account and address, per account, and per address.

Counted before the password is looked at: many guesses at once are all
counted, and a guess too many costs no bcrypt. An account that does not exist
is counted like one that does. Fails closed.
"""

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.emails import canonical_email
from accounts.errors import TooManyAttempts
from accounts.throttling import network_of, unavailable
from mlplatform.foundation import client_address
from mlplatform.foundation.redis import attempt

# After so many failures each further one doubles the pause. A stranger who fails on purpose locks
# the pair of account and address only, unless they come from many addresses.
PAIR, ACCOUNT, ADDRESS = 5, 20, 50
FIRST_PAUSE, LONGEST_PAUSE = 15, 900
FORGOTTEN_AFTER = 3600

_BEGIN = """
local now = tonumber(redis.call('TIME')[1])
local wait = 0
for i = 1, 3 do
  wait = math.max(wait, tonumber(redis.call('HGET', KEYS[i], 'until') or '0') - now)
end
if wait > 0 then return wait end
for i = 1, 3 do
  local failures = redis.call('HINCRBY', KEYS[i], 'failures', 1)
  local beyond = failures - tonumber(ARGV[i])
  if beyond >= 0 then
    local pause = math.min(ARGV[4] * 2 ^ beyond, tonumber(ARGV[5]))
    redis.call('HSET', KEYS[i], 'until', string.format('%d', now + pause))
  end
  redis.call('EXPIRE', KEYS[i], ARGV[6])
end
return 0
"""

# An address is not forgiven: its owner could sign in as themselves between two guesses.
_SUCCEEDED = """
redis.call('DEL', KEYS[1], KEYS[2])
if redis.call('HINCRBY', KEYS[3], 'failures', -1) < tonumber(ARGV[1]) then
  redis.call('HDEL', KEYS[3], 'until')
end
redis.call('EXPIRE', KEYS[3], ARGV[2])
"""


def begin(request: HttpRequest, email: str) -> None:
    """Call it before a password is checked. It counts as failed until it `succeeded`.

    Raises TooManyAttempts, or StoreUnavailable while attempts cannot be counted.
    """
    keys = _keys(request, email)
    arguments = (PAIR, ACCOUNT, ADDRESS, FIRST_PAUSE, LONGEST_PAUSE, FORGOTTEN_AFTER)
    wait = attempt(lambda redis: redis.eval(_BEGIN, 3, *keys, *arguments))
    if wait is None:
        raise unavailable()
    if wait:
        raise TooManyAttempts(
            f"Too many attempts to sign in have failed. Try again in {wait} seconds, "
            "or choose a new password by e-mail.",
            retry_after=wait,
        )


def succeeded(request: HttpRequest, email: str) -> None:
    keys = _keys(request, email)
    attempt(lambda redis: redis.eval(_SUCCEEDED, 3, *keys, ADDRESS, FORGOTTEN_AFTER) or True)


def _keys(request: HttpRequest, email: str) -> tuple[str, str, str]:
    # No address of anybody stands in Redis.
    account = salted_hmac("accounts.attempts", canonical_email(email)).hexdigest()
    network = network_of(client_address.of(request.META))
    return f"attempts:{account}:{network}", f"attempts:{account}", f"attempts::{network}"
