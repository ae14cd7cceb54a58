"""What every test shares."""

pytest_plugins = ["plugins_s3", "plugins_ray", "plugins_jobs", "plugins_pack"]
