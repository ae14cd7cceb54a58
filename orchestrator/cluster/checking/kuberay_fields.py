"""The fields that KubeRay knows where a manifest is its own; pods are Kubernetes' and checked by its API server.

Kubernetes drops unknown fields without a word, so a typing error would pass. Source: the KubeRay API reference, group ray.io/v1.
"""

_JOB = """
    activeDeadlineSeconds backoffLimit clusterSelector deletionStrategy entrypoint entrypointNumCpus entrypointNumGpus entrypointResources
    jobId managedBy metadata preRunningDeadlineSeconds rayClusterSpec runtimeEnvYAML shutdownAfterJobFinishes submissionMode submitterConfig
    submitterPodTemplate suspend ttlSecondsAfterFinished
"""
_CLUSTER = """
    authOptions autoscalerOptions enableInTreeAutoscaling gcsFaultToleranceOptions headGroupSpec headServiceAnnotations managedBy rayVersion
    suspend upgradeStrategy workerGroupSpecs
"""
_WORKERS = """
    groupName idleTimeoutSeconds labels maxReplicas minReplicas numOfHosts priority rayStartParams replicas resources scaleStrategy suspend
    template
"""
_HEAD = "enableIngress headService labels rayStartParams resources serviceType template"
_AUTOSCALER = "env envFrom idleTimeoutSeconds image imagePullPolicy resources securityContext upscalingMode version volumeMounts"
_AUTHENTICATION = "enableK8sTokenAuth mode secretName"

JOB = frozenset(_JOB.split())
CLUSTER = frozenset(_CLUSTER.split())
HEAD = frozenset(_HEAD.split())
WORKERS = frozenset(_WORKERS.split())
AUTOSCALER = frozenset(_AUTOSCALER.split())
AUTHENTICATION = frozenset(_AUTHENTICATION.split())
