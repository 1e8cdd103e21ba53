"""The named queries: what they become for each dialect, selector and override."""

import re

import pytest

from console.config import queries
from console.config.queries import DIALECTS, NAMES, QUERIES, counter, presence, promql


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", sorted(QUERIES))
@pytest.mark.parametrize("selector", ["", '{job="b",handler!="/metrics"}'])
def test_nothing_is_left_to_fill_in_and_brackets_match(name, dialect, selector) -> None:
    text = promql(name, {"selector": selector}, dialect, "6h")
    assert "$" not in text
    for left, right in ("()", "{}", "[]"):
        assert text.count(left) == text.count(right)


def test_the_errors_are_a_true_ratio_and_nothing_without_requests() -> None:
    total = "sum (rate(http_requests_total[5m]))"
    failed = 'sum (rate(http_requests_total{status=~"5.."}[5m]))'
    assert promql("errors", {}) == f"({failed} or 0 * {total}) / {total}"


@pytest.mark.parametrize("given", ['job="b"', '{job="b"}', ' {job="b",} '])
def test_the_selector_goes_into_every_set_of_the_backend(given) -> None:
    overrides = {"selector": given}
    assert promql("requests", overrides) == 'sum (rate(http_requests_total{job="b"}[5m]))'
    text = promql("errors", overrides)
    assert 'http_requests_total{status=~"5..",job="b"}' in text
    assert len(re.findall('job="b"', text)) == 3
    assert 'job="b"' in presence(DIALECTS[0], overrides)
    assert 'job="b"' not in promql("db_size", overrides)


def test_an_override_is_taken_as_it_is_but_for_its_words() -> None:
    overrides = {"p95": 'max(x{a=~"^5..$",b="{}",$selector}[$window])', "selector": 'j="b"'}
    assert promql("p95", overrides, window="1h") == 'max(x{a=~"^5..$",b="{}",j="b"}[1h])'
    assert not queries.needs_dialect("p95", overrides)
    assert queries.needs_dialect("p95", {})
    assert not queries.needs_dialect("db_size", {})


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        promql("p96", {})
    assert "p96" not in NAMES and "selector" in NAMES and "endpoint_p95" in NAMES


def test_a_plain_counter_is_its_increase_in_an_hour() -> None:
    assert counter(" trips_created_total ") == "sum(increase(trips_created_total[1h]))"
    assert counter("sum(active_users)") == "sum(active_users)"


def test_figures_are_the_queries_of_one_value() -> None:
    assert set(queries.SERIES) < set(queries.FIGURES)
    assert {"p50", "p95", "p99", "requests", "errors", "redis_hit"} < set(queries.FIGURES)
    assert not any(name.startswith(("host_", "burn_")) for name in queries.FIGURES)
    assert all(query.meaning for query in QUERIES.values())
