//! What `endurance` is told: the agent answers many requests and takes no more of its machine for it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::byte_size::ByteSize;
use super::located::Located;
use super::request::RequestSpec;
use super::timespan::TimeSpan;

/// `endurance`: after many requests the agent holds about as much memory and as many descriptors as before them, is about as fast, and
/// rests when there is nothing to do. The bounds are against gross faults: this is no benchmark.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EnduranceSpec {
    /// The attack of the stream.
    pub attack: RequestSpec,
    /// The benign request of the stream.
    pub benign: RequestSpec,
    /// Requests per second of each, open loop.
    pub per_second: Located<f64>,
    /// How many of each are answered before the agent is looked at for the first time.
    pub warm_up: Located<u32>,
    /// How many of each are answered between the first look and the second.
    pub requests: Located<u32>,
    /// By how much its resident memory may grow from the first look to the second.
    pub memory_growth: Located<ByteSize>,
    /// How many more descriptors it may have open at the second look than at the first.
    pub descriptors_growth: Located<u64>,
    /// How long it is watched when no request is under way.
    pub idle_for: Located<TimeSpan>,
    /// The most that it may use of one processor in that time: 1 is a whole core.
    pub idle_processor_share: Located<f64>,
    /// How many times as long as before the requests the proxy may wait for the agent after them, in the median, with one request of a kind
    /// under way at a time.
    pub slowdown: Located<f64>,
    /// How much longer than before them it may wait in any case.
    pub slowdown_margin: Located<TimeSpan>,
}
