"""Ways to get cluster.yaml wrong: a change of the text, where the sentence points, and what it says."""

from cluster_files import TOKEN

TYPES = "available_node_types"

WRONG = {
    "unknown key": (("idle_timeout_minutes: 5", "idle_timeout_minute: 5"), "idle_timeout_minute:", 'did you mean "idle_timeout_minutes"?'),
    "wrong type": (("max_workers: 12", "max_workers: twelve"), "max_workers: got 'twelve'", "a whole number"),
    "head of no type": (("head_node_type: head", "head_node_type: haed"), "head_node_type: got 'haed'", 'did you mean "head"?'),
    "misspelt setting of a machine": (
        ("InstanceType: m7i.4xlarge", "InstanceTipe: m7i.4xlarge"),
        f"{TYPES}.cpu.node_config.InstanceTipe",
        'did you mean "InstanceType"?',
    ),
    "misspelt setting within a setting": (
        ("HttpTokens: required", "HttpToken: required"),
        "node_config.MetadataOptions.HttpToken:",
        'did you mean "HttpTokens"?',
    ),
    "setting of a wrong type": (("VolumeSize: 100", "VolumeSize: 100 GB"), "Ebs.VolumeSize: got '100 GB'", "a whole number"),
    "value that AWS does not know": (("VolumeType: gp3", "VolumeType: gp33"), "Ebs.VolumeType: got 'gp33'", 'did you mean "gp3"?'),
    "type above the cluster": (
        ("max_workers: 4\n", "max_workers: 40\n"),
        f"{TYPES}.cpu.max_workers: got 40",
        "at most 12, which is max_workers of the whole cluster",
    ),
    "least above most": (
        ("min_workers: 0\n    max_workers: 4", "min_workers: 5\n    max_workers: 4"),
        "cpu.min_workers: got 5",
        "at most 4",
    ),
    "head with workers": (
        ("min_workers: 0\n    max_workers: 0", "min_workers: 0\n    max_workers: 2"),
        "head.max_workers: got 2",
        "for the head alone",
    ),
    "no time to idle": (("idle_timeout_minutes: 5", "idle_timeout_minutes: 0"), "idle_timeout_minutes: got 0", "more than 0"),
    "stopped machines are kept": (
        ("cache_stopped_nodes: false", "cache_stopped_nodes: true"),
        "provider.cache_stopped_nodes: got True",
        "disks charged",
    ),
    "image that is none": (("ami-0123456789abcdef0", "ubuntu-24.04"), "node_config.ImageId: got 'ubuntu-24.04'", "ami- and 8 or 17"),
    "image of Ray's choice": (
        ("ImageId: *gpu_machine_image", "ImageId: latest_dlami"),
        "gpu.node_config.ImageId: got 'latest_dlami'",
        "Ubuntu 18.04",
    ),
    "region that is none": (("eu-central-1", "Frankfurt"), "provider.region: got 'Frankfurt'", "an AWS region such as eu-central-1"),
    "zone of another region": (
        ("cache_stopped_nodes", "availability_zone: us-east-1a,eu-central-1b\n  cache_stopped_nodes"),
        "provider.availability_zone: got 'us-east-1a'",
        "zones of eu-central-1",
    ),
    "group that is none": (("sg-0123456789abcdef0", "default"), "SecurityGroupIds.0: got 'default'", "the id of a security group"),
    "head on spot": (
        ("InstanceType: m7i.xlarge", "InstanceMarketOptions: {MarketType: spot}\n      InstanceType: m7i.xlarge"),
        "head.node_config.InstanceMarketOptions.MarketType",
        "the job is gone with it",
    ),
    "spot that comes back": (
        ("{MarketType: spot}", "{MarketType: spot, SpotOptions: {SpotInstanceType: persistent}}"),
        "SpotInstanceType",
        "one-time",
    ),
    "container of another Ray": (
        ("docker: {}", "docker: {image: 'rayproject/ray:2.9.0-py311-gpu', container_name: g}"),
        "docker.image: got 'rayproject/ray:2.9.0-py311-gpu'",
        "an image of Ray 2.60.0",
    ),
    "container that changes": (
        ("docker: {}", "docker: {image: 'rayproject/ray:latest-gpu', container_name: g}"),
        "docker.image",
        "from day to day",
    ),
    "container without a tag": (("docker: {}", "docker: {image: registry:5000/g3dr, container_name: g}"), "docker.image", "a digest"),
    "container of another Python": (
        ("docker: {}", "docker: {image: 'rayproject/ray:2.60.0-py312-gpu', container_name: g}"),
        "docker.image: got 'Python 3.12'",
        "Python 3.11, which setup_commands.0 asks for",
    ),
    "Python that this does not run on": (
        ("--python 3.11 .venv", "--python 3.9 .venv"),
        "setup_commands.0: got 'Python 3.9'",
        "which this project runs on",
    ),
    "nightly wheel": (
        (
            "head_setup_commands: []",
            "head_setup_commands: ['pip install -U https://x/ray-wheels/latest/ray-3.0.0.dev0-cp311-cp311-linux.whl']",
        ),
        "head_setup_commands.0",
        "another one every day",
    ),
    "Ray without a version": (
        ("worker_setup_commands: []", "worker_setup_commands: ['pip install -U \"ray[default]\"']"),
        "worker_setup_commands.0: got 'ray without a version'",
        "ray==2.60.0",
    ),
    "another Ray": (
        ("worker_setup_commands: []", "worker_setup_commands: ['uv pip install ray[train]==2.58.1']"),
        "got 'ray 2.58.1'",
        "Ray 2.60.0",
    ),
    "open dashboard": (
        ("--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0"),
        "head_start_ray_commands.1: got '--dashboard-host=0.0.0.0'",
        "whoever reaches it can run jobs",
    ),
    "open port": (
        (
            "use_internal_ips",
            "security_group: {IpPermissions: [{FromPort: 8265, ToPort: 8265, IpRanges: [{CidrIp: 0.0.0.0/0}]}]}\n  use_internal_ips",
        ),
        "IpPermissions.0: got 'ports 8265 to 8265 for everybody'",
        "ssh brings the dashboard over",
    ),
    "head without a token": (
        ("export RAY_AUTH_MODE=token RAY_USAGE", "export RAY_USAGE"),
        "head_start_ray_commands.1: got 'no RAY_AUTH_MODE'",
        "CVE-2023-48022",
    ),
    "authentication off": (
        ("RAY_AUTH_MODE=token RAY_USAGE", "RAY_AUTH_MODE=disabled RAY_USAGE"),
        "got 'RAY_AUTH_MODE=disabled'",
        "RAY_AUTH_MODE=token",
    ),
    "token that does not arrive": (
        ("  ~/.ray/auth_token: ~/.ray/auth_token\n", ""),
        "file_mounts: got 'no token'",
        "ray get-auth-token --generate",
    ),
    "token in the file": (
        ("export RAY_AUTH_MODE=token;", f"export RAY_AUTH_TOKEN={TOKEN};"),
        "worker_start_ray_commands.2: got 'something secret'",
        "no secret",
    ),
    "key in the file": (
        (
            "type: external\n",
            "type: external\n  aws_credentials: {aws_access_key_id: AKIAIOSFODNN7EXAMPLE, aws_secret_access_key: abcdefgh}\n",
        ),
        "provider.aws_credentials",
        "credentials of your environment",
    ),
    "credentials on every machine": (("  ~/g3dr/LICENSE: LICENSE", "  ~/.aws: LICENSE"), "file_mounts.~/.aws", "a role of the machine"),
    "file that is not there": (
        ("~/g3dr/LICENSE: LICENSE", "~/g3dr/LICENSE: LICENCE"),
        "file_mounts.~/g3dr/LICENSE: got 'LICENCE'",
        "that is there",
    ),
    "ssh key that is not there": (
        ("ssh_user: ubuntu", "ssh_user: ubuntu\n  ssh_private_key: ~/nowhere.pem"),
        "auth.ssh_private_key: got '~/nowhere.pem'",
        "without one Ray makes a pair",
    ),
}

DOUBTFUL = {
    "machines that idle": (
        ("min_workers: 0\n    max_workers: 4", "min_workers: 1\n    max_workers: 4"),
        "cpu.min_workers: got 1",
        "paid for while nothing runs",
    ),
    "runs on the head": (("resources: {CPU: 0}", "resources: {CPU: 4}"), "head.resources.CPU: got 4", "no run is placed on the head"),
    "one zone": (
        ("cache_stopped_nodes", "availability_zone: eu-central-1b\n  cache_stopped_nodes"),
        "availability_zone",
        "runs out zone by zone",
    ),
    "no fallback": (
        ("type: external\n  module: orchestrator.cluster.spot_first.SpotFirstNodeProvider", "type: aws"),
        "provider.type: got 'aws'",
        "for ever while AWS has none",
    ),
    "port 22 for everybody": (("    SecurityGroupIds: [*security_group]\n", ""), "SecurityGroupIds", "the whole internet knock at port 22"),
    "instance type of no botocore": (("InstanceType: m7i.4xlarge", "InstanceType: m77i.4xlarge"), "got 'm77i.4xlarge'", "did you mean"),
    "resources that Ray asks AWS for": (("resources: {CPU: 16}", "resources: {}"), "cpu.resources.CPU: got None", "g3dr plan"),
    "no lock": (("--requirements requirements.lock", ""), "setup_commands: got 'no lock'", "requirements.lock"),
    "all of a folder": (("~/g3dr/LICENSE: LICENSE", "~/g3dr/all: ."), "file_mounts.~/g3dr/all", "folders of code by name"),
}
