"""The messages of Kubernetes' protobuf encoding that kubectl sends, as a table.

A line names a message and its fields as `NAME:NUMBER:TYPE`; an indented line goes on with the one above. A type is a
scalar, a message, `[T]` a list, `{T}` a map from strings, `*T` a value whose zero is meant, `^T` a message whose fields
stand in JSON beside it. Names and numbers are those of the API's published `generated.proto` files. A field that is
not listed makes a body undecodable: it is refused, never half read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    Attributes:
        form: how often it occurs and where its value goes.
        kept: whether a zero value is meant, rather than left out.
    """

    name: str
    type: str
    form: Literal["single", "list", "map", "inline"]
    kept: bool


@cache
def messages() -> dict[str, dict[int, Field]]:
    """Every message by name, its fields by number."""
    joined = _TABLE.replace("\n    ", " ")
    return {name: _fields(rest) for name, _, rest in (line.partition(" = ") for line in joined.splitlines()) if name}


def _fields(text: str) -> dict[int, Field]:
    fields = {}
    for word in text.split():
        name, number, kind = word.split(":")
        fields[int(number)] = _field(name, kind)
    return fields


def _field(name: str, kind: str) -> Field:
    match kind[0]:
        case "[":
            return Field(name, kind[1:-1], "list", kept=True)
        case "{":
            return Field(name, kind[1:-1], "map", kept=True)
        case "*":
            return Field(name, kind[1:], "single", kept=True)
        case "^":
            return Field(name, kind[1:], "inline", kept=False)
        case _:
            return Field(name, kind, "single", kept=False)


_TABLE: Final = """
SelfSubjectAccessReview = metadata:1:ObjectMeta spec:2:SelfSubjectAccessReviewSpec status:3:Ignored
SelfSubjectAccessReviewSpec = resourceAttributes:1:*ResourceAttributes nonResourceAttributes:2:*NonResourceAttributes
ResourceAttributes = namespace:1:string verb:2:string group:3:string version:4:string resource:5:string
    subresource:6:string name:7:string
NonResourceAttributes = path:1:string verb:2:string
SelfSubjectRulesReview = metadata:1:ObjectMeta spec:2:SelfSubjectRulesReviewSpec status:3:Ignored
SelfSubjectRulesReviewSpec = namespace:1:string
SelfSubjectReview = metadata:1:ObjectMeta status:2:Ignored
ObjectMeta = name:1:string generateName:2:string namespace:3:string selfLink:4:string
    uid:5:string resourceVersion:6:string
    generation:7:int creationTimestamp:8:Time deletionTimestamp:9:Time deletionGracePeriodSeconds:10:*int
    labels:11:{string} annotations:12:{string} ownerReferences:13:[OwnerReference] finalizers:14:[string]
OwnerReference = kind:1:string name:3:string uid:4:string apiVersion:5:string controller:6:*bool
    blockOwnerDeletion:7:*bool
LabelSelector = matchLabels:1:{string} matchExpressions:2:[LabelSelectorRequirement]
LabelSelectorRequirement = key:1:string operator:2:string values:3:[string]
DeleteOptions = gracePeriodSeconds:1:*int preconditions:2:*Preconditions orphanDependents:3:*bool
    propagationPolicy:4:*string dryRun:5:[string]
Preconditions = uid:1:*string resourceVersion:2:*string
Namespace = metadata:1:ObjectMeta spec:2:NamespaceSpec status:3:Ignored
ConfigMap = metadata:1:ObjectMeta data:2:{string} binaryData:3:{bytes} immutable:4:*bool
Secret = metadata:1:ObjectMeta data:2:{bytes} type:3:string stringData:4:{string} immutable:5:*bool
ServiceAccount = metadata:1:ObjectMeta secrets:2:[ObjectReference] imagePullSecrets:3:[LocalObjectReference]
    automountServiceAccountToken:4:*bool
ResourceQuota = metadata:1:ObjectMeta spec:2:ResourceQuotaSpec status:3:Ignored
Service = metadata:1:ObjectMeta spec:2:ServiceSpec status:3:Ignored
Pod = metadata:1:ObjectMeta spec:2:PodSpec status:3:Ignored
Deployment = metadata:1:ObjectMeta spec:2:DeploymentSpec status:3:Ignored
Job = metadata:1:ObjectMeta spec:2:JobSpec status:3:Ignored
CronJob = metadata:1:ObjectMeta spec:2:CronJobSpec status:3:Ignored
Role = metadata:1:ObjectMeta rules:2:[PolicyRule]
RoleBinding = metadata:1:ObjectMeta subjects:2:[Subject] roleRef:3:RoleRef
ClusterRole = metadata:1:ObjectMeta rules:2:[PolicyRule] aggregationRule:3:*AggregationRule
ClusterRoleBinding = metadata:1:ObjectMeta subjects:2:[Subject] roleRef:3:RoleRef
Ingress = metadata:1:ObjectMeta spec:2:IngressSpec status:3:Ignored
PodDisruptionBudget = metadata:1:ObjectMeta spec:2:PodDisruptionBudgetSpec status:3:Ignored
Eviction = metadata:1:ObjectMeta deleteOptions:2:*DeleteOptions
PriorityClass = metadata:1:ObjectMeta value:2:int globalDefault:3:bool description:4:string preemptionPolicy:5:*string
TokenRequest = metadata:1:ObjectMeta spec:2:TokenRequestSpec status:3:TokenRequestStatus
NamespaceSpec = finalizers:1:[string]
ObjectReference = kind:1:string namespace:2:string name:3:string uid:4:string apiVersion:5:string
    resourceVersion:6:string fieldPath:7:string
LocalObjectReference = name:1:string
ResourceQuotaSpec = hard:1:{Quantity} scopes:2:[string] scopeSelector:3:*ScopeSelector
ServiceSpec = ports:1:[ServicePort] selector:2:{string} clusterIP:3:string type:4:string externalIPs:5:[string]
    sessionAffinity:7:string loadBalancerIP:8:string loadBalancerSourceRanges:9:[string] externalName:10:string
    externalTrafficPolicy:11:string healthCheckNodePort:12:int publishNotReadyAddresses:13:bool
    sessionAffinityConfig:14:*SessionAffinityConfig ipFamilyPolicy:17:*string clusterIPs:18:[string]
    ipFamilies:19:[string] allocateLoadBalancerNodePorts:20:*bool loadBalancerClass:21:*string
    internalTrafficPolicy:22:*string trafficDistribution:23:*string
PodSpec = volumes:1:[Volume] containers:2:[Container] restartPolicy:3:string terminationGracePeriodSeconds:4:*int
    activeDeadlineSeconds:5:*int dnsPolicy:6:string nodeSelector:7:{string} serviceAccountName:8:string
    serviceAccount:9:string nodeName:10:string hostNetwork:11:bool hostPID:12:bool hostIPC:13:bool
    securityContext:14:*PodSecurityContext imagePullSecrets:15:[LocalObjectReference] hostname:16:string
    subdomain:17:string affinity:18:*Affinity schedulerName:19:string initContainers:20:[Container]
    automountServiceAccountToken:21:*bool tolerations:22:[Toleration] hostAliases:23:[HostAlias]
    priorityClassName:24:string priority:25:*int shareProcessNamespace:27:*bool runtimeClassName:29:*string
    enableServiceLinks:30:*bool preemptionPolicy:31:*string overhead:32:{Quantity}
    topologySpreadConstraints:33:[TopologySpreadConstraint] setHostnameAsFQDN:35:*bool os:36:*PodOS hostUsers:37:*bool
    hostnameOverride:41:*string
DeploymentSpec = replicas:1:*int selector:2:*LabelSelector template:3:PodTemplateSpec strategy:4:DeploymentStrategy
    minReadySeconds:5:int revisionHistoryLimit:6:*int paused:7:bool progressDeadlineSeconds:9:*int
JobSpec = parallelism:1:*int completions:2:*int activeDeadlineSeconds:3:*int selector:4:*LabelSelector
    manualSelector:5:*bool template:6:PodTemplateSpec backoffLimit:7:*int ttlSecondsAfterFinished:8:*int
    completionMode:9:*string suspend:10:*bool backoffLimitPerIndex:12:*int maxFailedIndexes:13:*int
    podReplacementPolicy:14:*string managedBy:15:*string
CronJobSpec = schedule:1:string startingDeadlineSeconds:2:*int concurrencyPolicy:3:string suspend:4:*bool
    jobTemplate:5:JobTemplateSpec successfulJobsHistoryLimit:6:*int failedJobsHistoryLimit:7:*int timeZone:8:*string
autoscaling/v1.HorizontalPodAutoscaler = metadata:1:ObjectMeta spec:2:AutoscalerV1Spec status:3:Ignored
AutoscalerV1Spec = scaleTargetRef:1:CrossVersionObjectReference minReplicas:2:*int maxReplicas:3:*int
    targetCPUUtilizationPercentage:4:*int
autoscaling/v2.HorizontalPodAutoscaler = metadata:1:ObjectMeta spec:2:AutoscalerSpec status:3:Ignored
AutoscalerSpec = scaleTargetRef:1:CrossVersionObjectReference minReplicas:2:*int maxReplicas:3:*int
    metrics:4:[MetricSpec]
CrossVersionObjectReference = kind:1:string name:2:string apiVersion:3:string
MetricSpec = type:1:string resource:4:*ResourceMetricSource containerResource:7:*ContainerResourceMetricSource
ResourceMetricSource = name:1:string target:2:MetricTarget
ContainerResourceMetricSource = name:1:string target:2:MetricTarget container:3:string
MetricTarget = type:1:string value:2:*Quantity averageValue:3:*Quantity averageUtilization:4:*int
PolicyRule = verbs:1:[string] apiGroups:2:[string] resources:3:[string] resourceNames:4:[string]
    nonResourceURLs:5:[string]
Subject = kind:1:string apiGroup:2:string name:3:string namespace:4:string
RoleRef = apiGroup:1:string kind:2:string name:3:string
AggregationRule = clusterRoleSelectors:1:[LabelSelector]
IngressSpec = defaultBackend:1:*IngressBackend tls:2:[IngressTLS] rules:3:[IngressRule] ingressClassName:4:*string
PodDisruptionBudgetSpec = minAvailable:1:*IntOrString selector:2:*LabelSelector maxUnavailable:3:*IntOrString
    unhealthyPodEvictionPolicy:4:*string
TokenRequestSpec = audiences:1:[string] boundObjectRef:3:*BoundObjectReference expirationSeconds:4:*int
    attestations:5:{AttestationValue}
TokenRequestStatus = token:1:string expirationTimestamp:2:Time
ScopeSelector = matchExpressions:1:[ScopedResourceSelectorRequirement]
ServicePort = name:1:string protocol:2:string port:3:int targetPort:4:IntOrString nodePort:5:int appProtocol:6:*string
SessionAffinityConfig = clientIP:1:*ClientIPConfig
Volume = name:1:string volumeSource:2:^VolumeSource
Container = name:1:string image:2:string command:3:[string] args:4:[string] workingDir:5:string
    ports:6:[ContainerPort] env:7:[EnvVar] resources:8:ResourceRequirements volumeMounts:9:[VolumeMount]
    livenessProbe:10:*Probe readinessProbe:11:*Probe lifecycle:12:*Lifecycle terminationMessagePath:13:string
    imagePullPolicy:14:string securityContext:15:*SecurityContext stdin:16:bool stdinOnce:17:bool tty:18:bool
    envFrom:19:[EnvFromSource] terminationMessagePolicy:20:string startupProbe:22:*Probe restartPolicy:24:*string
PodSecurityContext = seLinuxOptions:1:*SELinuxOptions runAsUser:2:*int runAsNonRoot:3:*bool supplementalGroups:4:[int]
    fsGroup:5:*int runAsGroup:6:*int sysctls:7:[Sysctl] fsGroupChangePolicy:9:*string
    seccompProfile:10:*SeccompProfile appArmorProfile:11:*AppArmorProfile supplementalGroupsPolicy:12:*string
    seLinuxChangePolicy:13:*string
Affinity = nodeAffinity:1:*NodeAffinity podAffinity:2:*PodAffinity podAntiAffinity:3:*PodAntiAffinity
Toleration = key:1:string operator:2:string value:3:string effect:4:string tolerationSeconds:5:*int
HostAlias = ip:1:string hostnames:2:[string]
TopologySpreadConstraint = maxSkew:1:int topologyKey:2:string whenUnsatisfiable:3:string
    labelSelector:4:*LabelSelector minDomains:5:*int nodeAffinityPolicy:6:*string nodeTaintsPolicy:7:*string
    matchLabelKeys:8:[string]
PodOS = name:1:string
PodTemplateSpec = metadata:1:ObjectMeta spec:2:PodSpec
DeploymentStrategy = type:1:string rollingUpdate:2:*RollingUpdateDeployment
JobTemplateSpec = metadata:1:ObjectMeta spec:2:JobSpec
IngressBackend = resource:3:*TypedLocalObjectReference service:4:*IngressServiceBackend
IngressTLS = hosts:1:[string] secretName:2:string
IngressRule = host:1:string ingressRuleValue:2:^IngressRuleValue
BoundObjectReference = kind:1:string apiVersion:2:string name:3:string uID:4:string
AttestationValue = items:1:[string]
ScopedResourceSelectorRequirement = scopeName:1:string operator:2:string values:3:[string]
ClientIPConfig = timeoutSeconds:1:*int
VolumeSource = hostPath:1:*HostPathVolumeSource emptyDir:2:*EmptyDirVolumeSource secret:6:*SecretVolumeSource
    persistentVolumeClaim:10:*PersistentVolumeClaimVolumeSource downwardAPI:16:*DownwardAPIVolumeSource
    configMap:19:*ConfigMapVolumeSource projected:26:*ProjectedVolumeSource
ContainerPort = name:1:string hostPort:2:int containerPort:3:int protocol:4:string hostIP:5:string
EnvVar = name:1:string value:2:string valueFrom:3:*EnvVarSource
ResourceRequirements = limits:1:{Quantity} requests:2:{Quantity}
VolumeMount = name:1:string readOnly:2:bool mountPath:3:string subPath:4:string mountPropagation:5:*string
    subPathExpr:6:string recursiveReadOnly:7:*string bindMountOptions:8:[string]
Probe = handler:1:^ProbeHandler initialDelaySeconds:2:int timeoutSeconds:3:int periodSeconds:4:int
    successThreshold:5:int failureThreshold:6:int terminationGracePeriodSeconds:7:*int
Lifecycle = postStart:1:*LifecycleHandler preStop:2:*LifecycleHandler stopSignal:3:*string
SecurityContext = capabilities:1:*Capabilities privileged:2:*bool seLinuxOptions:3:*SELinuxOptions runAsUser:4:*int
    runAsNonRoot:5:*bool readOnlyRootFilesystem:6:*bool allowPrivilegeEscalation:7:*bool runAsGroup:8:*int
    procMount:9:*string seccompProfile:11:*SeccompProfile appArmorProfile:12:*AppArmorProfile
EnvFromSource = prefix:1:string configMapRef:2:*ConfigMapEnvSource secretRef:3:*SecretEnvSource
SELinuxOptions = user:1:string role:2:string type:3:string level:4:string
Sysctl = name:1:string value:2:string
SeccompProfile = type:1:string localhostProfile:2:*string
AppArmorProfile = type:1:string localhostProfile:2:*string
NodeAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:*NodeSelector
    preferredDuringSchedulingIgnoredDuringExecution:2:[PreferredSchedulingTerm]
PodAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:[PodAffinityTerm]
    preferredDuringSchedulingIgnoredDuringExecution:2:[WeightedPodAffinityTerm]
PodAntiAffinity = requiredDuringSchedulingIgnoredDuringExecution:1:[PodAffinityTerm]
    preferredDuringSchedulingIgnoredDuringExecution:2:[WeightedPodAffinityTerm]
RollingUpdateDeployment = maxUnavailable:1:*IntOrString maxSurge:2:*IntOrString
TypedLocalObjectReference = apiGroup:1:*string kind:2:string name:3:string
IngressServiceBackend = name:1:string port:2:ServiceBackendPort
IngressRuleValue = http:1:*HTTPIngressRuleValue
HostPathVolumeSource = path:1:string type:2:*string
EmptyDirVolumeSource = medium:1:string sizeLimit:2:*Quantity mode:3:*int
SecretVolumeSource = secretName:1:string items:2:[KeyToPath] defaultMode:3:*int optional:4:*bool defaultUser:5:*int
PersistentVolumeClaimVolumeSource = claimName:1:string readOnly:2:bool
DownwardAPIVolumeSource = items:1:[DownwardAPIVolumeFile] defaultMode:2:*int defaultUser:3:*int
ConfigMapVolumeSource = localObjectReference:1:^LocalObjectReference items:2:[KeyToPath] defaultMode:3:*int
    optional:4:*bool defaultUser:5:*int
ProjectedVolumeSource = sources:1:[VolumeProjection] defaultMode:2:*int defaultUser:3:*int
EnvVarSource = fieldRef:1:*ObjectFieldSelector resourceFieldRef:2:*ResourceFieldSelector
    configMapKeyRef:3:*ConfigMapKeySelector secretKeyRef:4:*SecretKeySelector
ProbeHandler = exec:1:*ExecAction httpGet:2:*HTTPGetAction tcpSocket:3:*TCPSocketAction grpc:4:*GRPCAction
LifecycleHandler = exec:1:*ExecAction httpGet:2:*HTTPGetAction tcpSocket:3:*TCPSocketAction sleep:4:*SleepAction
Capabilities = add:1:[string] drop:2:[string]
ConfigMapEnvSource = localObjectReference:1:^LocalObjectReference optional:2:*bool
SecretEnvSource = localObjectReference:1:^LocalObjectReference optional:2:*bool
NodeSelector = nodeSelectorTerms:1:[NodeSelectorTerm]
PreferredSchedulingTerm = weight:1:int preference:2:NodeSelectorTerm
PodAffinityTerm = labelSelector:1:*LabelSelector namespaces:2:[string] topologyKey:3:string
    namespaceSelector:4:*LabelSelector matchLabelKeys:5:[string] mismatchLabelKeys:6:[string]
WeightedPodAffinityTerm = weight:1:int podAffinityTerm:2:PodAffinityTerm
ServiceBackendPort = name:1:string number:2:int
HTTPIngressRuleValue = paths:1:[HTTPIngressPath]
KeyToPath = key:1:string path:2:string mode:3:*int user:4:*int
DownwardAPIVolumeFile = path:1:string fieldRef:2:*ObjectFieldSelector resourceFieldRef:3:*ResourceFieldSelector
    mode:4:*int user:5:*int
VolumeProjection = secret:1:*SecretProjection downwardAPI:2:*DownwardAPIProjection configMap:3:*ConfigMapProjection
    serviceAccountToken:4:*ServiceAccountTokenProjection
ObjectFieldSelector = apiVersion:1:string fieldPath:2:string
ResourceFieldSelector = containerName:1:string resource:2:string divisor:3:Quantity
ConfigMapKeySelector = localObjectReference:1:^LocalObjectReference key:2:string optional:3:*bool
SecretKeySelector = localObjectReference:1:^LocalObjectReference key:2:string optional:3:*bool
ExecAction = command:1:[string]
HTTPGetAction = path:1:string port:2:IntOrString host:3:string scheme:4:string httpHeaders:5:[HTTPHeader]
    protocol:6:*string
TCPSocketAction = port:1:IntOrString host:2:string
GRPCAction = port:1:int service:2:*string mode:3:*string
SleepAction = seconds:1:int
NodeSelectorTerm = matchExpressions:1:[NodeSelectorRequirement] matchFields:2:[NodeSelectorRequirement]
HTTPIngressPath = path:1:string backend:2:IngressBackend pathType:3:*string
SecretProjection = localObjectReference:1:^LocalObjectReference items:2:[KeyToPath] optional:4:*bool
DownwardAPIProjection = items:1:[DownwardAPIVolumeFile]
ConfigMapProjection = localObjectReference:1:^LocalObjectReference items:2:[KeyToPath] optional:4:*bool
ServiceAccountTokenProjection = audience:1:string expirationSeconds:2:*int path:3:string user:4:*int
HTTPHeader = name:1:string value:2:string
NodeSelectorRequirement = key:1:string operator:2:string values:3:[string]
"""
