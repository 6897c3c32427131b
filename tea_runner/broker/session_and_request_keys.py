"""Keys of what people order and ask, and of their sessions; :mod:`redis_keys` lists them with all others."""

from __future__ import annotations

from tea_runner.broker.redis_key_pattern import redis_key_pattern


@redis_key_pattern("hash", "approval_and_pause_store")
def orders() -> str:
    """What people ordered: subjects of pauses and approvals to the latest order, sealed.

    Planners keep a copy in their state folders.
    """
    return "orders"


@redis_key_pattern("string", "planner_query_store", 30)
def question(question_id: str) -> str:
    """A question that waits for a planner, sealed."""
    return f"question:{question_id}"


@redis_key_pattern("string", "planner_query_store", 10)
def answer(question_id: str) -> str:
    """The answer to a question, as compressed JSON."""
    return f"answer:{question_id}"


@redis_key_pattern("string", "session_store", 7 * 86_400)
def session(digest: str) -> str:
    """Who signed in, encrypted; its time to live is the setting ``pages.session``.

    :param digest: of the session's id, which only the person's browser has.
    """
    return f"session:{digest}"


@redis_key_pattern("hash", "sign_in_attempts", 900)
def sign_in_attempts(digest: str) -> str:
    """How often somebody failed to sign in.

    :param digest: of an address or a user's name.
    """
    return f"sign-in:{digest}"


@redis_key_pattern("string", "token_store", 365 * 86_400)
def token(digest: str) -> str:
    """What a token for the API stands for, encrypted; it lives as long as the token.

    :param digest: of the token.
    """
    return f"api-token:{digest}"


@redis_key_pattern("hash", "token_store", 365 * 86_400)
def tokens(account: str) -> str:
    """Names, scopes and times of an account's tokens, by their digests.

    :param account: a digest of its name.
    """
    return f"api-tokens:{account}"
