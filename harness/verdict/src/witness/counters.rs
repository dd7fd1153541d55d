//! Envoy's counters, as its admin endpoint prints them.

use std::collections::BTreeMap;

use harness_core::stack::proxy_fitness::{CONNECTION_MANAGER_PREFIX, FILTER_PREFIX};

/// The admin endpoint's question for the counters that the totals use.
pub const QUERY: &str =
    "/stats?filter=ext_authz|grpc_access_log|helloworld-mirror.upstream_rq_total";

/// The question for whether each cluster takes a further request: 1 where it does not.
pub const LIMIT_QUERY: &str = "/stats?filter=circuit_breakers.default.rq_open";

/// How often the proxy sent a copy of a request to the cluster that requests are mirrored to.
pub const MIRRORED: &str = "helloworld-mirror.upstream_rq_total";

/// Counter values at one instant.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads `name: value` lines; histograms and text readings are left out.
    pub fn parse(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.split_once(": "))
                .filter_map(|(name, value)| Some((name.to_owned(), value.trim().parse().ok()?)))
                .collect(),
        )
    }

    /// Returns a counter of the `ext_authz` filter, such as `denied`; none when the filter is absent.
    pub fn authorization(&self, name: &str) -> Option<u64> {
        let full = format!("http.{CONNECTION_MANAGER_PREFIX}.ext_authz.{FILTER_PREFIX}.{name}");
        self.0.get(&full).copied()
    }

    /// Returns the sum of the counters whose names end so, such as `grpc_access_log.logs_written`.
    pub fn sum_ending(&self, ending: &str) -> u64 {
        self.0
            .iter()
            .filter(|(name, _)| name.ends_with(ending))
            .map(|(_, value)| value)
            .sum()
    }

    /// Returns every counter that changed since `before`, with its difference.
    pub fn since(&self, before: &Self) -> BTreeMap<String, u64> {
        self.0
            .iter()
            .map(|(name, value)| {
                let earlier = before.0.get(name).copied().unwrap_or_default();
                (name.clone(), value.saturating_sub(earlier))
            })
            .filter(|(_, difference)| *difference > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_subtracted() {
        let before = Counters::parse("http.ingress.ext_authz.waf.ok: 2\nx: No recorded values\n");
        let after = Counters::parse(
            "http.ingress.ext_authz.waf.ok: 5\naccess_logs.grpc_access_log.logs_written: 3\n",
        );
        assert_eq!(after.authorization("ok"), Some(5));
        assert_eq!(after.authorization("denied"), None);
        assert_eq!(after.sum_ending("grpc_access_log.logs_written"), 3);
        assert_eq!(after.since(&before)["http.ingress.ext_authz.waf.ok"], 3);
    }
}
