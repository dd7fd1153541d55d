//! What the procedure about a pod's open ports is told by a scenario file.

use schemars::JsonSchema;
use serde::Deserialize;

use super::located::Located;
use super::procedure::Case;

/// `exposure`: which ports of the pod somebody outside it can connect to.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExposureSpec {
    /// Requests that show that the containers work.
    pub cases: Vec<Case>,
    /// Ports to which a connection to the pod's address must be made. The proxy's own is among them without being named.
    #[serde(default)]
    pub open: Vec<Located<u16>>,
    /// Ports to which none must be made.
    pub closed: Vec<Located<u16>>,
}
