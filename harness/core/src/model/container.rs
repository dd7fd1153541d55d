//! The names of the pod's containers, as the guide has them.

/// The container that runs Envoy.
pub const PROXY_CONTAINER: &str = "envoy-frontproxy";
/// The container that runs the application.
pub const APPLICATION_CONTAINER: &str = "helloworld";
/// The container that runs the agent under test.
pub const AGENT_CONTAINER: &str = "sigsci-agent";
/// The agent's setting for the address of its gRPC services.
pub const AGENT_ADDRESS_VARIABLE: &str = "SIGSCI_ENVOY_GRPC_ADDRESS";
