//! What `endurance` is told: the agent answers many requests and takes no more of its machine for it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::procedure::interface::{CheckContext, Procedure, Requirement, Weight};
use harness_core::model::byte_size::ByteSize;
use harness_core::model::complaints::Complaints;
use harness_core::model::feature::Feature;
use harness_core::model::located::Located;
use harness_core::model::request::RequestSpec;
use harness_core::model::timespan::TimeSpan;
use harness_core::model::validate_requests::{check_rate, check_request};
use harness_verdict::judge::endurance::EnduranceBounds;

/// The fewest requests of each kind after which an agent is compared with what it was before.
const FEWEST_COMPARED: u32 = 20;
/// The most requests that are sent of each kind.
const MOST_REPEATED: u32 = 10_000;

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

impl EnduranceSpec {
    /// Returns what the agent may take more than before.
    pub(super) const fn bounds(&self) -> EnduranceBounds {
        EnduranceBounds {
            requests: self.requests,
            memory_growth: self.memory_growth,
            descriptors_growth: self.descriptors_growth,
            idle_processor_share: self.idle_processor_share,
            slowdown: self.slowdown,
            slowdown_margin: self.slowdown_margin,
        }
    }
}

impl Procedure for EnduranceSpec {
    fn check(&self, _: &CheckContext<'_>, complaints: &mut Complaints<'_>) {
        for request in [&self.attack, &self.benign] {
            check_request(request, request.target.position, complaints);
        }
        check_rate(&self.per_second, complaints);
        for (count, least) in [(&self.warm_up, 1), (&self.requests, FEWEST_COMPARED)] {
            if !(least..=MOST_REPEATED).contains(&**count) {
                complaints.add(
                    count.position,
                    format!("{} requests are too few or too many", **count),
                    format!("write a number from {least} to {MOST_REPEATED}"),
                );
            }
        }
        if self.idle_for.as_duration().is_zero() {
            complaints.add(
                self.idle_for.position,
                "the agent is not watched while it rests",
                "write a span in which a processor's use can be seen, such as `1s`",
            );
        }
        for (bound, most, hint) in [
            (
                &self.idle_processor_share,
                1.0,
                "write a share of one core, over 0 and up to 1",
            ),
            (
                &self.slowdown,
                100.0,
                "write how many times as long a check may take, over 0 and up to 100",
            ),
        ] {
            if !(**bound > 0.0 && **bound <= most) {
                complaints.add(bound.position, format!("{} bounds nothing", **bound), hint);
            }
        }
    }

    fn assertions(&self) -> Vec<String> {
        vec![
            format!(
                "over {} requests the agent grows by at most {} and {} descriptors",
                u64::from(*self.requests) * 2,
                *self.memory_growth,
                *self.descriptors_growth
            ),
            format!(
                "it becomes no slower than {} times, or by {}, and uses at most {} of a core at rest",
                *self.slowdown, *self.slowdown_margin, *self.idle_processor_share
            ),
        ]
    }

    fn requirement(&self) -> Requirement<'_> {
        Requirement::Pod(self)
    }

    fn features(&self) -> &'static [Feature] {
        &[Feature::ResourceUsage]
    }

    fn weight(&self) -> Weight {
        Weight::Middling
    }
}
