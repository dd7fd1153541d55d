//! What a latency run sends: the arms, the rate over all of them, and one request.

use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most arms of a plan.
pub const ARM_LIMIT: usize = 32;
/// The highest rate over all arms, in requests per second. One thread of a generator is late beyond it.
pub const RATE_LIMIT: u32 = 50_000;
/// The most requests of a plan, those of the warm-up included.
pub const REQUEST_LIMIT: u64 = 20_000_000;
/// The most connections of an arm.
pub const CONNECTION_LIMIT: u16 = 255;

/// A latency run against one set of processes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LatencyPlan {
    /// The address of each arm, as `IP:port`. An arm is called by its position.
    pub arms: Vec<SocketAddr>,
    /// Requests per second over all arms; each gets as many of them.
    pub requests_per_second: u32,
    /// When requests are due.
    pub arrivals: Arrivals,
    /// For how long requests are sent whose samples are thrown away.
    pub warm_up_milliseconds: u64,
    /// For how long requests are sent after that.
    pub measured_milliseconds: u64,
    /// How many connections each arm has, opened before the first request is due.
    pub connections_per_arm: u16,
    /// From the moment at which a request is due until it is given up.
    pub give_up_milliseconds: u64,
    /// What the moments and the order of the arms are drawn from.
    pub seed: u64,
    /// The request, in base64: its whole bytes as they go over a connection that is kept open.
    pub request_base64: String,
}

/// When requests are due.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// At equal distances: the cost of a hop by itself.
    Constant,
    /// One Poisson process over all arms: what users feel, queues included.
    #[default]
    Poisson,
}

impl fmt::Display for Arrivals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        })
    }
}

/// What is wrong with a plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LatencyPlanError {
    /// There is no arm, or there are too many.
    #[error("{count} arms; from 1 to {ARM_LIMIT} can be measured")]
    Arms {
        /// How many there are.
        count: usize,
    },
    /// The rate is 0 or too high.
    #[error("{per_second} requests per second; from 1 to {RATE_LIMIT} can be sent")]
    Rate {
        /// The rate.
        per_second: u32,
    },
    /// Nothing would be measured, or too much.
    #[error("{requests} requests; from 1 to {REQUEST_LIMIT} can be measured")]
    Requests {
        /// How many there would be.
        requests: u64,
    },
    /// There is no connection, or there are too many.
    #[error("{count} connections for each arm; from 1 to {CONNECTION_LIMIT} can be kept")]
    Connections {
        /// How many were asked for.
        count: u16,
    },
    /// A request would be given up at once.
    #[error("a request has no time for its answer")]
    GiveUp,
    /// The request is not base64, or empty.
    #[error("the request is no base64 of a request")]
    Request,
}

impl LatencyPlan {
    /// Returns how many requests the whole plan sends, on average.
    pub fn requests(&self) -> u64 {
        let milliseconds = self
            .warm_up_milliseconds
            .saturating_add(self.measured_milliseconds);
        milliseconds.saturating_mul(self.requests_per_second.into()) / 1000
    }

    /// Returns what one of several generators sends of the plan: an equal share of the rate and of each arm's connections, at moments of its own.
    #[must_use]
    pub fn share(&self, part: u8, of: u8) -> Self {
        let equal = |all: u32| {
            let (part, of) = (u32::from(part), u32::from(of.max(1)));
            all / of + u32::from(part < all % of)
        };
        Self {
            requests_per_second: equal(self.requests_per_second),
            connections_per_arm: u16::try_from(equal(self.connections_per_arm.into()))
                .unwrap_or(self.connections_per_arm),
            seed: self.seed ^ (u64::from(part) << 56),
            ..self.clone()
        }
    }

    /// Checks the bounds.
    ///
    /// # Errors
    ///
    /// When one is not kept.
    pub fn check(&self) -> Result<(), LatencyPlanError> {
        let count = self.arms.len();
        if count == 0 || count > ARM_LIMIT {
            return Err(LatencyPlanError::Arms { count });
        }
        let per_second = self.requests_per_second;
        if per_second == 0 || per_second > RATE_LIMIT {
            return Err(LatencyPlanError::Rate { per_second });
        }
        let requests = self.requests();
        if self.measured_milliseconds == 0 || requests == 0 || requests > REQUEST_LIMIT {
            return Err(LatencyPlanError::Requests { requests });
        }
        let count = self.connections_per_arm;
        if count == 0 || count > CONNECTION_LIMIT {
            return Err(LatencyPlanError::Connections { count });
        }
        if self.give_up_milliseconds == 0 {
            return Err(LatencyPlanError::GiveUp);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn plan() -> LatencyPlan {
        LatencyPlan {
            arms: vec![SocketAddr::from(([127, 0, 0, 1], 1))],
            requests_per_second: 1000,
            arrivals: Arrivals::Poisson,
            warm_up_milliseconds: 0,
            measured_milliseconds: 1000,
            connections_per_arm: 1,
            give_up_milliseconds: 1,
            seed: 0,
            request_base64: String::new(),
        }
    }

    #[test]
    fn the_shares_of_several_generators_are_the_whole_and_differ_in_their_moments() {
        let whole = LatencyPlan {
            connections_per_arm: 8,
            ..plan()
        };
        assert_eq!(whole.share(0, 1), whole);
        let shares: Vec<LatencyPlan> = (0..3).map(|part| whole.share(part, 3)).collect();
        let rates: Vec<u32> = { shares.iter() }
            .map(|share| share.requests_per_second)
            .collect();
        assert_eq!(rates, [334, 333, 333]);
        let connections: Vec<u16> = { shares.iter() }
            .map(|share| share.connections_per_arm)
            .collect();
        assert_eq!(connections, [3, 3, 2]);
        assert_ne!(shares[0].seed, shares[1].seed);
        assert_ne!(shares[1].seed, shares[2].seed);
    }

    #[rstest]
    #[case(|plan: &mut LatencyPlan| plan.arms.clear(), "0 arms")]
    #[case(|plan: &mut LatencyPlan| plan.arms = vec![plan.arms[0]; ARM_LIMIT + 1], "33 arms")]
    #[case(|plan: &mut LatencyPlan| plan.requests_per_second = 0, "0 requests per second")]
    #[case(|plan: &mut LatencyPlan| plan.requests_per_second = RATE_LIMIT + 1, "50001 requests per second")]
    #[case(|plan: &mut LatencyPlan| plan.measured_milliseconds = 0, "0 requests;")]
    #[case(|plan: &mut LatencyPlan| plan.warm_up_milliseconds = u64::MAX, "requests;")]
    #[case(|plan: &mut LatencyPlan| plan.connections_per_arm = 0, "0 connections")]
    #[case(|plan: &mut LatencyPlan| plan.connections_per_arm = 256, "256 connections")]
    #[case(|plan: &mut LatencyPlan| plan.give_up_milliseconds = 0, "no time")]
    fn bounds_are_kept(#[case] change: fn(&mut LatencyPlan), #[case] said: &str) {
        assert_eq!(plan().check(), Ok(()));
        let mut plan = plan();
        change(&mut plan);
        let error = plan.check().expect_err("out of bounds").to_string();
        assert!(error.contains(said), "{error}");
    }
}
