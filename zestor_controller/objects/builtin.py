"""The built-in kinds: their plurals and scopes, so that naming one needs no discovery.

Source: the discovery documents of kube-apiserver 1.36. An asterisk marks cluster-scoped kinds.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BUILTIN"]

_TABLE: Final = """
v1: ConfigMap configmaps, Secret secrets, Service services, ServiceAccount serviceaccounts, Pod pods, Event events,
    Endpoints endpoints, Namespace* namespaces, Node* nodes, PersistentVolume* persistentvolumes,
    PersistentVolumeClaim persistentvolumeclaims, ReplicationController replicationcontrollers,
    ResourceQuota resourcequotas, LimitRange limitranges, PodTemplate podtemplates, Binding bindings
apps/v1: Deployment deployments, ReplicaSet replicasets, StatefulSet statefulsets, DaemonSet daemonsets,
    ControllerRevision controllerrevisions
batch/v1: Job jobs, CronJob cronjobs
coordination.k8s.io/v1: Lease leases
discovery.k8s.io/v1: EndpointSlice endpointslices
events.k8s.io/v1: Event events
rbac.authorization.k8s.io/v1: Role roles, RoleBinding rolebindings, ClusterRole* clusterroles,
    ClusterRoleBinding* clusterrolebindings
policy/v1: PodDisruptionBudget poddisruptionbudgets
networking.k8s.io/v1: NetworkPolicy networkpolicies, Ingress ingresses, IngressClass* ingressclasses,
    IPAddress* ipaddresses, ServiceCIDR* servicecidrs
autoscaling/v1: HorizontalPodAutoscaler horizontalpodautoscalers
autoscaling/v2: HorizontalPodAutoscaler horizontalpodautoscalers
apiextensions.k8s.io/v1: CustomResourceDefinition* customresourcedefinitions
apiregistration.k8s.io/v1: APIService* apiservices
admissionregistration.k8s.io/v1: ValidatingWebhookConfiguration* validatingwebhookconfigurations,
    MutatingWebhookConfiguration* mutatingwebhookconfigurations,
    ValidatingAdmissionPolicy* validatingadmissionpolicies,
    ValidatingAdmissionPolicyBinding* validatingadmissionpolicybindings
authentication.k8s.io/v1: TokenReview* tokenreviews, SelfSubjectReview* selfsubjectreviews
authorization.k8s.io/v1: SubjectAccessReview* subjectaccessreviews,
    SelfSubjectAccessReview* selfsubjectaccessreviews, SelfSubjectRulesReview* selfsubjectrulesreviews,
    LocalSubjectAccessReview localsubjectaccessreviews
certificates.k8s.io/v1: CertificateSigningRequest* certificatesigningrequests
node.k8s.io/v1: RuntimeClass* runtimeclasses
scheduling.k8s.io/v1: PriorityClass* priorityclasses
storage.k8s.io/v1: StorageClass* storageclasses, VolumeAttachment* volumeattachments, CSIDriver* csidrivers,
    CSINode* csinodes, CSIStorageCapacity csistoragecapacities, VolumeAttributesClass* volumeattributesclasses
flowcontrol.apiserver.k8s.io/v1: FlowSchema* flowschemas, PriorityLevelConfiguration* prioritylevelconfigurations
resource.k8s.io/v1: DeviceClass* deviceclasses, ResourceClaim resourceclaims,
    ResourceClaimTemplate resourceclaimtemplates, ResourceSlice* resourceslices
"""


def _parse(table: str) -> dict[tuple[str, str], tuple[str, bool]]:
    kinds: dict[tuple[str, str], tuple[str, bool]] = {}
    version = ""
    for line in table.strip().splitlines():
        head, colon, rest = line.partition(": ")
        if colon:
            version = head
        else:
            rest = line
        for entry in rest.split(","):
            if entry.strip():
                kind, plural = entry.split()
                kinds[version, kind.rstrip("*")] = (plural, not kind.endswith("*"))
    return kinds


BUILTIN: Final = _parse(_TABLE)
"""From apiVersion and kind to the plural and whether the kind is namespaced."""
