"""cluster.yaml and docs/clusters/aws.yaml against a simulated AWS: what the launcher asks for is what the policies allow, and no more.

Ray's own code resolves the file, starts and ends machines of every type; the calls that it makes are recorded.
"""

import json
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from cluster_files import LAUNCHER, REPOSITORY, filled
from ray.autoscaler.node_launch_exception import NodeLaunchException

pytestmark = pytest.mark.data

TEMPLATE = (REPOSITORY / "docs" / "clusters" / "aws.yaml").read_text(encoding="utf-8")
BUCKET, REGION = "animals-of-a-test", "eu-central-1"


@dataclass
class Account:
    """A simulated account with the stack in it, and what Ray's launcher did there.

    Attributes:
        outputs: Of the stack.
        policies: ARNs of its policies, by their names in the template.
        config: cluster.yaml as Ray resolved it.
        machines: What EC2 said of one machine of each type.
        person: Calls of `ray up` and `ray down`, as policies name them.
        head: Calls of the autoscaler.
    """

    outputs: dict[str, str]
    policies: dict[str, str]
    config: dict
    machines: dict[str, dict]
    person: set[str]
    head: set[str]


@pytest.fixture(scope="module")
def account(tmp_path_factory, object_store_server):
    """One account for all tests: Ray resolves cluster.yaml in it, starts, marks and ends a machine of each type."""
    from moto.ec2.models import instance_types

    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of images, which the simulation does not know
        for name, value in (("HOME", str(home)), *{**object_store_server.environment, "AWS_DEFAULT_REGION": REGION}.items()):
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        known = instance_types.INSTANCE_TYPES  # a thousand, which take the simulation half a minute to tell
        patch.setattr(
            instance_types, "INSTANCE_TYPES", {name: known[name] for name in ("m7i.xlarge", "m7i.4xlarge", "g6.2xlarge", "t3.small")}
        )
        outputs = make_stack()
        with recorded() as person:
            config = resolved(outputs["SecurityGroup"])
            machines = launch(config, ["head"])
        with recorded() as head:
            machines |= launch(config, [name for name in config["available_node_types"] if name != "head"])
        policies = {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in stack_resources() if "PhysicalResourceId" in entry}
        yield Account(outputs, policies, config, machines, person, head)


def make_stack() -> dict[str, str]:
    """Makes the stack as the documentation says; returns its outputs."""
    given = {"BucketName": BUCKET, "SshFrom": "203.0.113.7/32"}
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    stacks = boto3.client("cloudformation", region_name=REGION)
    stacks.create_stack(StackName="g3dr", TemplateBody=TEMPLATE, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])
    return {output["OutputKey"]: output["OutputValue"] for output in stacks.describe_stacks(StackName="g3dr")["Stacks"][0]["Outputs"]}


@contextmanager
def recorded():
    """Collects the calls that are made within, as policies name them."""
    made, ask = set(), BaseClient._make_api_call

    def asking(client, operation, params):
        made.add(f"{client.meta.service_model.service_name}:{operation}")
        return ask(client, operation, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", asking)
        yield made


def resolved(security_group: str) -> dict:
    """Returns cluster.yaml as `ray up` resolves it."""
    from ray.autoscaler._private.providers import _get_node_provider_cls
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(yaml.safe_load(filled(LAUNCHER).replace("sg-0123456789abcdef0", security_group)))
    validate_config(prepared)
    provider = _get_node_provider_cls(prepared["provider"])
    return provider.bootstrap_config(provider.fillout_available_node_types_resources(prepared))


def launch(config: dict, names: list[str]) -> dict[str, dict]:
    """Starts one machine of each type as the launcher does, marks it, ends it; returns what EC2 said of it."""
    from ray.autoscaler._private.providers import _get_node_provider

    provider, found = _get_node_provider(config["provider"], config["cluster_name"], use_cache=False), {}
    for name in names:
        tags = {"ray-node-type": "head" if name == "head" else "worker", "ray-user-node-type": name, "ray-launch-config": "x"}
        node_config = {**config.get("head_node", {}), **config["available_node_types"][name]["node_config"]}
        provider.create_node(node_config, tags, 1)
        (node,) = provider.non_terminated_nodes({"ray-user-node-type": name})
        provider.set_node_tags(node, {"ray-node-status": "up-to-date"})
        found[name] = boto3.client("ec2").describe_instances(InstanceIds=[node])["Reservations"][0]["Instances"][0]
        provider.terminate_nodes([node])
    return found


def statements(account: Account, resource: str) -> list[dict]:
    """The statements of the managed policies that a role or group of the template has."""
    iam, found = boto3.client("iam"), []
    for policy in yaml.load(TEMPLATE, Loader=Plain)["Resources"][resource]["Properties"]["ManagedPolicyArns"]:
        version = iam.get_policy(PolicyArn=account.policies[policy])["Policy"]["DefaultVersionId"]
        found += iam.get_policy_version(PolicyArn=account.policies[policy], VersionId=version)["PolicyVersion"]["Document"]["Statement"]
    return found


def stack_resources() -> list[dict]:
    return boto3.client("cloudformation").describe_stack_resources(StackName="g3dr")["StackResources"]


class Plain(yaml.SafeLoader):
    """YAML whose tags are left out: a reference is the name of what it refers to."""


Plain.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_yaml_str(node))


def actions(found: list[dict]) -> set[str]:
    return {action for each in (statement["Action"] for statement in found) for action in ([each] if isinstance(each, str) else each)}


def of_ec2(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("ec2:")}


def test_the_launcher_starts_every_type_as_it_is_written(account):
    told = {
        name: (machine["InstanceType"], machine.get("InstanceLifecycle"), machine["MetadataOptions"]["HttpTokens"])
        for name, machine in account.machines.items()
    }
    assert told == {
        "head": ("m7i.xlarge", None, "required"),
        "cpu": ("m7i.4xlarge", "spot", "required"),
        "gpu": ("g6.2xlarge", "spot", "required"),
    }
    assert {tag["Key"]: tag["Value"] for tag in account.machines["cpu"]["Tags"]}["project"] == "g3dr"


@contextmanager
def without_spot(code):
    """EC2 refuses spot machines with this code; yields what was asked for."""
    asked, ask = [], BaseClient._make_api_call

    def asking(client, operation, params):
        if operation == "RunInstances":
            asked.append((params["InstanceType"], "InstanceMarketOptions" in params, params["SubnetId"]))
            if "InstanceMarketOptions" in params:
                raise ClientError({"Error": {"Code": code, "Message": "none"}}, operation)
        return ask(client, operation, params)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(BaseClient, "_make_api_call", asking)
        yield asked


def test_a_machine_that_is_not_to_be_had_as_spot_is_rented_on_demand(account):
    with without_spot("InsufficientInstanceCapacity") as asked:
        machine = launch(account.config, ["gpu"])["gpu"]
    assert (machine["InstanceType"], machine.get("InstanceLifecycle")) == ("g6.2xlarge", None)
    assert [spot for _, spot, _ in asked] == [True] * (len(asked) - 1) + [False]
    assert {subnet for _, spot, subnet in asked if spot} == set(account.config["available_node_types"]["gpu"]["node_config"]["SubnetIds"])


def test_what_else_is_wrong_with_a_spot_machine_is_not_paid_for_twice(account):
    with without_spot("InvalidAMIID.NotFound") as asked, pytest.raises(NodeLaunchException, match="InvalidAMIID"):
        launch(account.config, ["gpu"])
    assert all(spot for _, spot, _ in asked)


def test_declared_resources_are_those_of_the_instance_types(account):
    described = boto3.client("ec2").describe_instance_types(InstanceTypes=["m7i.4xlarge", "g6.2xlarge"])["InstanceTypes"]
    real = {
        kind["InstanceType"]: (kind["VCpuInfo"]["DefaultVCpus"], sum(gpu["Count"] for gpu in kind.get("GpuInfo", {}).get("Gpus", [])))
        for kind in described
    }
    types = account.config["available_node_types"]
    for name in ("cpu", "gpu"):
        resources = types[name]["resources"]
        assert (resources["CPU"], resources.get("GPU", 0)) == real[types[name]["node_config"]["InstanceType"]]
    assert types["head"]["resources"]["CPU"] == 0


def test_a_person_may_do_what_ray_up_does_and_nothing_that_it_does_not(account):
    allowed = actions(statements(account, "People"))
    assert of_ec2(account.person) == of_ec2(allowed)
    assert account.person - of_ec2(account.person) <= {"sts:GetCallerIdentity"}  # which everybody may
    assert allowed - of_ec2(allowed) == {"iam:PassRole", *STORE}


def test_the_head_may_do_what_its_autoscaler_does_and_nothing_that_it_does_not(account):
    allowed = actions(statements(account, "HeadRole"))
    assert account.head == of_ec2(allowed)
    assert allowed - of_ec2(allowed) == {"iam:PassRole", *STORE}


STORE = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}


def test_a_worker_may_use_the_bucket_and_nothing_else(account):
    found = statements(account, "WorkerRole")
    assert actions(found) == STORE
    assert json.dumps(found).count(BUCKET) == 2
    assert account.outputs["Root"] == f"s3://{BUCKET}/results"


def test_machines_are_limited_to_the_types_of_the_file(account):
    types = {name: kind["node_config"]["InstanceType"] for name, kind in account.config["available_node_types"].items()}
    for resource, sid, names in (("HeadRole", "StartWorkers", types.keys() - {"head"}), ("People", "StartHead", {"head"})):
        (start,) = [statement for statement in statements(account, resource) if statement.get("Sid") == sid]
        limit = start["Condition"]["StringEquals"]
        allowed = limit["ec2:InstanceType"]  # the simulation leaves a list parameter as one text
        assert set(allowed.split(",") if isinstance(allowed, str) else allowed) == {types[name] for name in names}
        assert limit["aws:RequestTag/ray-cluster-name"] == account.config["cluster_name"]


def test_only_one_address_may_knock_and_only_at_port_22(account):
    (group,) = boto3.client("ec2").describe_security_groups(GroupIds=[account.outputs["SecurityGroup"]])["SecurityGroups"]
    outside = [rule for rule in group["IpPermissions"] if rule["IpRanges"]]
    assert [(rule["FromPort"], rule["ToPort"], [net["CidrIp"] for net in rule["IpRanges"]]) for rule in outside] == [
        (22, 22, ["203.0.113.7/32"])
    ]


def test_the_template_has_no_aliases_which_cloudformation_refuses():
    assert not any(isinstance(token, yaml.AliasToken | yaml.AnchorToken) for token in yaml.scan(TEMPLATE))
