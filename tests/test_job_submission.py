"""The tiny study as a Ray job: what runs on a laptop runs unchanged on a cluster."""

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.jobs]


def test_a_job_runs_the_study(plain_job, ray_head):
    from ray.job_submission import JobSubmissionClient

    assert plain_job.code == 0, plain_job.text
    assert f"report: {plain_job.root}/reports/tiny/index.html" in plain_job.text
    assert JobSubmissionClient(ray_head.dashboard).get_job_status(plain_job.id) == "SUCCEEDED"
