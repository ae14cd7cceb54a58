"""Where runs are computed: a cluster that is there, or one of this machine's own."""

from orchestrator.cluster.connection import LOCAL_SPARE_CPUS, cluster_nodes, connected, free_resources, local_capacity, names_cluster

__all__ = ["LOCAL_SPARE_CPUS", "cluster_nodes", "connected", "free_resources", "local_capacity", "names_cluster"]
