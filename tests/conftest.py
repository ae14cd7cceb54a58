"""What every test shares."""

import pytest

pytest_plugins = ["plugins_s3", "plugins_ray"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """Tests that need Ray come first and stay together: in parallel runs one process has the one cluster, the others the rest."""
    on_ray = [item for item in items if item.get_closest_marker("ray") or "ray_head" in item.fixturenames]
    for item in on_ray:
        item.add_marker(pytest.mark.xdist_group("ray"))
    chosen = set(on_ray)
    items[:] = on_ray + [item for item in items if item not in chosen]
