"""Deployments at noon: good code, broken code, restarts of all kinds, under load."""

from __future__ import annotations

import pytest

from tests.storms.deployments import BROKEN, GOOD, HANG, Deployments, plan
from tests.storms.sizes import SIZE
from tests.storms.storm import serving

pytestmark = pytest.mark.timeout(SIZE.timeout)


@pytest.mark.parametrize(
    ("method", "threads", "links"),
    [
        pytest.param("conservative", 1, False, id="conservative-1-in-place"),
        pytest.param("conservative", 1, True, id="conservative-1-by-link"),
        pytest.param("smart-lv2", 1, False, id="smart-lv2-1-in-place"),
        pytest.param("smart-lv2", 4, False, id="smart-lv2-4-in-place"),
        pytest.param("smart", 1, True, id="smart-1-by-link"),
    ],
)
def test_nobody_notices_a_deployment_whether_its_code_is_good_or_not(
    tmp_path, method, threads, links
):
    """No request fails, none is answered wrongly, and no POST runs twice.

    Code that does not come up answers nobody; what came up last answers all.
    """
    with serving(
        tmp_path,
        method,
        seed=7,
        rate=SIZE.rate,
        threads=threads,
        links=links,
        max_requests=50,
        health_check="/healthz",
        start_timeout="15s",
    ) as storm:
        deployments = Deployments(storm, links)
        kinds = plan(storm.chance, SIZE.restarts, SIZE.broken)
        for number, kind in enumerate(kinds):
            if number == len(kinds) // 2:
                deployments.hang_up_with_broken_settings()
            # Once is enough: it takes start_timeout.
            last = kinds[number:].count(HANG) == 1
            deployments.deploy(kind, time_out=SIZE.broken > 1 and last)
        storm.wait_for_requests(SIZE.requests)
        asked = storm.crowd.tally.requests
        storm.wait_for_requests(asked + 100)
        record = storm.over()
        print(record)
        assert record.verdict.faults() == {}
        assert record.verdict.tally.requests >= SIZE.requests
        assert {kind: deployments.done.count(kind) for kind in BROKEN} == dict.fromkeys(
            BROKEN, SIZE.broken
        )
        assert deployments.done.count(GOOD) >= SIZE.restarts
        assert set(record.verdict.tally.answered) == {1, *deployments.good_ones}
        assert record.recycled > 0
