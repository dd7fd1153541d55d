//! The table of the kinds of findings: name, severity, what it means, what to look at next. Sorted by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Severity;

finding_kinds! {
    AccessLog "access-log" Minor
        "The proxy's account of its gRPC access log does not add up to one entry for each answered request."
        "Compare Envoy's counters of written and dropped log entries with the number of answered requests."
    Admission "admission" Major
        "The cluster admitted a pod that it must refuse, refused one that it must admit, or gave another reason for its refusal."
        "Check the Pod Security level of the namespace and the security context of the containers that the refusal names."
    AgentClientAddress "agent-client-address" Minor
        "The agent recorded another client address than the one that the request came from."
        "Check which header the agent takes the address from, and what the proxy puts into `x-forwarded-for`."
    AgentDecision "agent-decision" Minor
        "The decision in the agent's data log is not the expected one, or contradicts the answer that the agent gave."
        "Compare the line of the data log with the answer to the same request id."
    AgentDoesNotRun "agent-does-not-run" Critical
        "The agent ended although it had to run, so that nothing else could be judged."
        "Read how it ended and its last lines; then run the agent by hand with the settings of the scenario's pod."
    AgentExited "agent-exited" Major
        "The agent's container ended while calls were still made to it."
        "Read the end of the agent's log and the exit code in the timeline."
    AgentLocations "agent-locations" Minor
        "The agent found the attack in other parts of the request than the expected ones."
        "Compare the locations in the data log with where the scenario puts the attack."
    AgentLog "agent-log" Minor
        "The agent's log lacks a message that operators rely on."
        "Read the agent's log in the evidence folder, and search it for the message in another wording."
    AgentMethod "agent-method" Major
        "The agent decided about another HTTP method than the one that was sent."
        "Compare the request that the proxy passed to the agent with the one that the client sent."
    AgentPath "agent-path" Major
        "The agent decided about another path than the expected one."
        "Check the path normalization of the proxy and of the agent."
    AgentRecord "agent-record" Minor
        "The agent's data log does not have exactly the lines for a request that it must have."
        "Search the data log for the request id, and check whether the agent drops or delays lines under load."
    AgentResponseCode "agent-response-code" Minor
        "The agent recorded another response code than the expected one."
        "Check whether the response data of the request reached the agent through the access log."
    AgentRestarted "agent-restarted" Major
        "The agent's process was replaced during the measurement, so its figures say nothing."
        "Read the timeline and the agent's log for why the process ended."
    AgentSignals "agent-signals" Minor
        "The agent raised other signals for a request than the expected ones."
        "Compare the rules that the agent has loaded with those that the scenario assumes."
    AgentStart "agent-start" Major
        "The agent did not start, or did not go on running, under what the scenario deploys."
        "Read the agent's log and its exit code, then the settings that the scenario changes."
    AuthorizationWait "authorization-wait" Major
        "The proxy gave up waiting for the agent earlier than its time-out allows."
        "Compare the time-out of the ext_authz filter and of the agent's cluster with the expected wait."
    CallOutcome "call-outcome" Critical
        "A gRPC call to the agent ended otherwise than it must."
        "Read the status and the detail of the call, then the agent's line for it in the data log."
    CheckResponseHeader "check-response-header" Major
        "The agent's answer to a check lacks a header that it must set, or carries one that it must not."
        "Compare the headers in the check response with what the vendor documents for this decision."
    CircuitBreaker "circuit-breaker" Major
        "The proxy's limit for requests that wait for the agent was not reached although that many were waiting."
        "Check the circuit breaker thresholds of the agent's cluster in the proxy's configuration."
    ClientBody "client-body" Major
        "The client received another body than the expected one."
        "Compare the length and the digest with the body that the application sends."
    ClientHeader "client-header" Major
        "The client's response lacks an expected header, or shows one that must not reach a client."
        "Check which of agent, proxy and application sets or removes the header."
    ClientStatus "client-status" Major
        "The client received another HTTP status than the expected one."
        "Read the proxy's response code details to see which party gave the status."
    ClientStream "client-stream" Major
        "A streamed response was buffered or joined on its way to the client."
        "Check for filters that buffer response bodies in the proxy's configuration."
    ClientTrailer "client-trailer" Major
        "The client's response lacks an expected trailer."
        "Check whether the proxy forwards trailers for this protocol."
    ConcurrentCalls "concurrent-calls" Major
        "The agent did not hold as many calls open at the same time on one connection as it must."
        "Check the limit for concurrent HTTP/2 streams that the agent announces."
    ConnectionFailureReason "connection-failure-reason" Minor
        "A connection to the agent failed for another reason than the expected one."
        "Read the reason, and compare the TLS settings of both sides."
    ConnectionReuse "connection-reuse" Major
        "The connection was not reused: requests that belong on one connection came on several."
        "Find which response closed the connection, and why."
    ContainerPrivileges "container-privileges" Major
        "The agent's processes have more privileges than the scenario allows."
        "Compare the security context of the container with the privileges that the kernel reports."
    CorrelationHeader "correlation-header" Major
        "A request does not carry the agent's own request id exactly once, so its response may be attributed to another request."
        "Check that the proxy takes over the headers of the check response and overwrites those of the client."
    DenialStatus "denial-status" Major
        "An attack was denied with another HTTP status than the configured one."
        "Check which configuration each agent has loaded, and whether all of a fleet have the same."
    DescriptorGrowth "descriptor-growth" Major
        "The agent holds more open file descriptors after the requests than it may."
        "List the descriptors of the agent's process, and check for connections that are not closed."
    DrainStall "drain-stall" Major
        "Requests that were due while the pod drained were held until the end of the proxy cut them."
        "Check the order in which the preStop hooks end the listeners, the agent and the proxy."
    Enforcement "enforcement" Critical
        "The agent never came to deny attacks one after the other."
        "Read the agent's log for whether it loaded its rules, and the failure mode of the proxy."
    ExitCode "exit-code" Major
        "A container did not exit, or exited with a code that is not allowed."
        "Read the timeline: 137 means that the kubelet had to kill the container, 143 that it ended on TERM."
    ExitOrder "exit-order" Major
        "A container ended before the one that it must outlive."
        "Compare the preStop hooks of the two containers and their exits in the timeline."
    ExpectedFile "expected-file" Major
        "The agent's container lacks a file, a socket or a folder that must be there, or has another kind of file in its place."
        "Check the volume mounts and the variables that say where the agent writes."
    FailureMode "failure-mode" Major
        "While the agent could not be asked, the proxy never did what its failure mode says."
        "Check `failure_mode_allow` of the ext_authz filter, and whether the agent was away at all."
    GrpcStatus "grpc-status" Minor
        "A call to the agent failed with another gRPC status than the allowed ones."
        "Compare the status with what the ext_authz protocol and the vendor document for this error."
    IdleProcessor "idle-processor" Major
        "The agent uses more of a processor than it may while no request is under way."
        "Profile the idle agent, and check for loops that wait without sleeping."
    ImageDigest "image-digest" Major
        "A container ran another image than the one that was built or asked for, or its image is not known."
        "Compare the digests, and check the tag, the pull policy and what the node has cached."
    ImageDrift "image-drift" Major
        "Pods of one run used different images under the same name."
        "Pin the image by its digest, and check which nodes have an old copy."
    ImagePull "image-pull" Major
        "The agent runs although its image must not be had, or does not run although it can be."
        "Read the waiting reason of the container, the pull policy and the pull secrets."
    ImagePullReason "image-pull-reason" Minor
        "The kubelet does not give the expected reason for an image that cannot be pulled."
        "Read the events of the pod for the reason that it gives."
    InspectionGap "inspection-gap" Critical
        "Attacks reached the application after the pod started and before the rules applied."
        "Check what makes the pod wait for the agent: startup probe, readiness probe and failure mode."
    KillDelay "kill-delay" Major
        "The time between TERM and KILL of a container is not the expected one."
        "Compare the grace period of the pod with the time that the preStop hook takes."
    LateRecord "late-record" Minor
        "A log had more records at the pod's end than when the requests were judged, or records of requests that were never sent."
        "Search the logs for the request id, and compare the times of the records."
    LeakedAttack "leaked-attack" Critical
        "An attack reached the application where none may."
        "Read in which phase of the pod it was sent, and what was or was not running then."
    LifecycleOrder "lifecycle-order" Major
        "The pod's termination did not follow the kubelet's order: not ready, preStop, TERM, exit."
        "Read the timeline of the container in the finding's notes."
    Lint "lint" Major
        "The static check found a fault in the deployment that the scenario does not expect, or missed one that it expects."
        "Correct the setting that the explanation names."
    LostRequests "lost-requests" Major
        "Benign requests got no answer from the application."
        "Read in which phase of which pod they were lost, and compare drain time and grace period."
    MemoryGrowth "memory-growth" Major
        "The agent's memory grew by more than it may over the requests."
        "Compare the resident memory before and after, and check for caches without a limit."
    MirroredCopies "mirrored-copies" Major
        "The application received another number of mirrored copies of a request than the expected one."
        "Check the mirror policies of the route."
    NegotiatedProtocol "negotiated-protocol" Major
        "The TLS handshake agreed on another application protocol than the offered one."
        "Check the ALPN settings of the proxy's listener."
    NewPodEnforcement "new-pod-enforcement" Critical
        "A pod that joined the fleet let attacks through while it was ready, or was not seen to deny any before it was ready."
        "Check the startup probe of the agent, and what readiness of the pod depends on."
    NotEnforcing "not-enforcing" Critical
        "The agent was not seen to deny the plainest of attacks within the time that it had, so that nothing else could be judged."
        "Check that its rules are loaded and its mode blocks, or give it more time by `--enforcing-within`."
    NotExercised "not-exercised" Major
        "The situation that the scenario is about never occurred, so nothing about it was tested."
        "Read what was missing, and check whether the deployment, the timing or the machine prevented it."
    OutOfMemory "out-of-memory" Major
        "The kernel did not end the agent for exceeding its memory limit as the scenario expects."
        "Check the memory limit of the container and how it ended in the timeline."
    Outcome "outcome" Critical
        "A request ended otherwise than it must, or the records of it contradict each other."
        "Read what client, proxy, agent and application each recorded, in the finding's notes."
    PersistentConnection "persistent-connection" Major
        "A client with a persistent connection was cut, turned away or not asked to leave at the time at which it must be."
        "Read the phase of the pod, and check how the preStop hook drains the proxy's listeners."
    PodSecurity "pod-security" Major
        "The agent does not run under the pod security level that the scenario sets."
        "Read the agent's log for what it was denied: a user, a capability, a path or a system call."
    PortExposure "port-exposure" Critical
        "A port of the pod is open to clients outside it that must be closed, or closed where it must be open."
        "Check the address that the listener binds: anything but the loopback address is reachable from outside."
    PreStop "pre-stop" Major
        "A preStop hook ended otherwise than it must: absent, failed, in time, or at the end of the grace period."
        "Compare the duration of the hook with the grace period."
    ProxyAsked "proxy-asked" Major
        "The proxy asked the agent about a request that it must not ask about, or did not ask where it must."
        "Check the ext_authz settings of the route."
    ProxyDetails "proxy-details" Minor
        "The proxy recorded other response code details than the expected ones."
        "Look the details up in Envoy's documentation of response code details."
    ProxyFlag "proxy-flag" Minor
        "The proxy's record of a request lacks the expected response flag."
        "Look the flags up in Envoy's documentation of access logs."
    Readiness "readiness" Major
        "The pod was ready, or served requests, when it must not, or ceased to be ready without being deleted."
        "Read the probes in the timeline."
    ReadyTooEarly "ready-too-early" Major
        "The pod was ready before its agent could decide about requests."
        "Check that the pod's readiness depends on the agent's own probe."
    Reconciliation "reconciliation" Minor
        "The totals of driver, proxy, agent and application do not agree."
        "Compare the counters that the finding names with the logs in the evidence folder."
    Recovery "recovery" Critical
        "After the agent was back, requests were not inspected again in time."
        "Read the agent's log after its restart, and the health of its cluster in the proxy."
    Redirects "redirects" Major
        "The proxy followed another number of redirects than the expected one."
        "Check the internal redirect policy of the route."
    Refusal "refusal" Major
        "The agent did not refuse a faulty deployment in time, or refused it without an error code."
        "Read the agent's log for how it treats the faulty setting."
    Reload "reload" Major
        "New rules did not apply, or were not announced in the agent's log, after the step that brings them."
        "Read the agent's log after the step, and how often it asks for new rules."
    ReloadDecision "reload-decision" Critical
        "A request during a reload was not decided by rules that applied at that time."
        "Compare the time of the request with the steps in the timeline."
    ResponseData "response-data" Minor
        "Response data of answered requests is missing at the agent, or is there although it must be lost."
        "Check when the proxy sends its gRPC access log, and which of proxy and agent ends first."
    ResponseTime "response-time" Major
        "A response took longer than it may while the agent was impaired."
        "Compare the proxy's time-out for the agent with the bound of the scenario."
    RolloutRequest "rollout-request" Critical
        "A request during a rollout was not inspected, answered or denied as it must be."
        "Read the pod and the phase that had the request, and what that pod was doing then."
    RootFilesystem "root-filesystem" Major
        "The container's root file system is writable where it must be read-only, or read-only where it must be writable."
        "Check `readOnlyRootFilesystem` in the security context of the container."
    SecretExposure "secret-exposure" Critical
        "One of the agent's keys appears in a place where others can read it."
        "Remove it from the place that the finding names, and rotate the key."
    Slowdown "slowdown" Major
        "The proxy waits longer for the agent after the requests than it may, or the wait was not measured."
        "Compare the median waits, and check for work that grows with the number of requests."
    SmuggledRequest "smuggled-request" Critical
        "One request had more than one response, so part of it was taken for a request of its own."
        "Compare how proxy and application read the length of the request's body."
    StartupProbe "startup-probe" Major
        "The startup probe did not fail first and then succeed once, or the pod was ready before it succeeded."
        "Read the probes in the timeline, and check the address and the timing of the probe."
    StorageUsage "storage-usage" Major
        "The files that the agent wrote take more space than they may."
        "List the files in the agent's volumes, and check for logs or caches without a limit."
    TimeToReady "time-to-ready" Major
        "The pod took longer to become ready than it may."
        "Read the timeline for what it waited for: the start, the probes or the rules."
    UnexpectedDelivery "unexpected-delivery" Critical
        "An attack that the proxy was believed to stop in transit was delivered to the agent or the application."
        "Check what the proxy does to this part of a request, then why the agent did not deny it."
    UnexpectedFiles "unexpected-files" Major
        "The agent wrote files outside the places that it may write to."
        "Find the variable that moves the file, or mount a volume there."
    Upgrade "upgrade" Major
        "A connection upgrade came out otherwise than it must."
        "Check the upgrade settings of the proxy's listener and route."
    UpstreamAttempts "upstream-attempts" Major
        "The proxy made another number of attempts at the application than the expected one."
        "Check the retry policy of the route."
    UpstreamBody "upstream-body" Major
        "The application received another body than the one that was sent, or only a part of it."
        "Check the body limits of the ext_authz filter and the buffers of the proxy."
    UpstreamHeader "upstream-header" Major
        "A request reached the application without a header that it must have, or with one that it must not have."
        "Check which headers the check response and the proxy's route add or remove."
    UpstreamMethod "upstream-method" Major
        "The application received another HTTP method than the one that was sent."
        "Check the route and the headers that the check response sets."
    UpstreamTarget "upstream-target" Major
        "The application received another path or query than the expected one."
        "Check path normalization and rewrites in the proxy's configuration."
    WritableMounts "writable-mounts" Major
        "The container's writable mounts are not exactly those that the scenario lists."
        "Compare the volume mounts of the manifest with the mounts that the kernel reports."
}
