"""What was of use lately is kept, and no more than that."""

from __future__ import annotations

from tea_runner.core.generational_cache import GenerationalCache


def test_nothing_is_let_go_of_while_work_goes_on() -> None:
    """However much it is: only a rest lets go."""
    recent: GenerationalCache[int, str] = GenerationalCache()
    for number in range(10):
        recent.put(number, str(number))

    assert [str(number) for number in range(10)] == [recent.get(number) for number in range(10)]


def test_a_rest_lets_go_of_what_was_of_no_use_since_the_last_one() -> None:
    """Only when what was of use is heavy, and never of that."""
    recent: GenerationalCache[str, str] = GenerationalCache(len)
    for name in ("a", "b"):
        recent.put(name, name * 2)
    recent.evict(3)
    assert "aa" == recent.get("a")
    recent.put("c", "cc")
    recent.evict(3)

    assert ["aa", None, "cc"] == [recent.get(name) for name in "abc"]


def test_a_light_value_stays_through_any_number_of_rests() -> None:
    """It costs nothing."""
    recent: GenerationalCache[str, str] = GenerationalCache(len)
    recent.put("a", "aa")
    for _ in range(5):
        recent.evict(3)

    assert "aa" == recent.get("a")


def test_the_same_key_weighs_once() -> None:
    """Keeping a value anew makes it no heavier."""
    recent: GenerationalCache[str, str] = GenerationalCache(len)
    for _ in range(5):
        recent.put("a", "aa")

    assert 2 == recent.weight


def test_what_is_cleared_is_gone() -> None:
    """All of it."""
    recent: GenerationalCache[str, str] = GenerationalCache()
    for name in "abc":
        recent.put(name, name)
        recent.evict(1)
    recent.clear()

    assert [None, None, None, 0] == [*(recent.get(name) for name in "abc"), recent.weight]
