//! The endpoints of a Service: its slices (`EndpointSlice`) where the API has them, else its Endpoints.
//!
//! `discovery.k8s.io/v1` is there from Kubernetes 1.21 on; Endpoints are deprecated since 1.33, and each use of them leaves a warning.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::EnvironmentFault;
use crate::kube::api::connection::Release;
use crate::kube::api::fault::ask;

/// The release of Kubernetes 1 from which `discovery.k8s.io/v1` is served.
const SLICES_SINCE: u32 = 21;
/// The label by which a slice names its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// What the API has of a Service's endpoints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::kube) enum EndpointsApi {
    /// `discovery.k8s.io/v1`.
    Slices,
    /// `v1`, Endpoints.
    Whole,
}

impl EndpointsApi {
    /// Returns what a release has.
    pub(in crate::kube) fn of(release: Release) -> Self {
        if release.is_at_least(SLICES_SINCE) {
            Self::Slices
        } else {
            Self::Whole
        }
    }

    /// Returns the addresses of a Service that are ready, as the API has them now.
    pub(in crate::kube) async fn ready_addresses(
        self,
        client: &Client,
        namespace: &str,
        service: &str,
    ) -> Result<BTreeSet<String>, EnvironmentFault> {
        let action = format!("look at the endpoints of `{service}`");
        match self {
            Self::Slices => {
                let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
                let its = ListParams::default().labels(&format!("{SERVICE_LABEL}={service}"));
                Ok(ready_in_slices(
                    ask(&action, slices.list(&its)).await?.items,
                ))
            }
            Self::Whole => {
                let endpoints: Api<Endpoints> = Api::namespaced(client.clone(), namespace);
                let found = ask(&action, endpoints.get_opt(service)).await?;
                Ok(ready_in_subsets(found))
            }
        }
    }
}

/// An endpoint whose readiness is not known counts as ready, as the API's documentation has it.
fn ready_in_slices(slices: Vec<EndpointSlice>) -> BTreeSet<String> {
    let endpoints = slices.into_iter().filter_map(|slice| slice.endpoints);
    endpoints
        .flatten()
        .filter(|endpoint| {
            let conditions = endpoint.conditions.as_ref();
            conditions.and_then(|conditions| conditions.ready) != Some(false)
        })
        .flat_map(|endpoint| endpoint.addresses)
        .collect()
}

fn ready_in_subsets(endpoints: Option<Endpoints>) -> BTreeSet<String> {
    let subsets = endpoints.and_then(|found| found.subsets);
    subsets
        .into_iter()
        .flatten()
        .flat_map(|subset| subset.addresses.unwrap_or_default())
        .map(|address| address.ip)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn slices_are_read_from_the_release_on_that_serves_them() {
        assert_eq!(EndpointsApi::of(Release::of(1, 20)), EndpointsApi::Whole);
        assert_eq!(EndpointsApi::of(Release::of(1, 21)), EndpointsApi::Slices);
        assert_eq!(EndpointsApi::of(Release::of(1, 36)), EndpointsApi::Slices);
    }

    #[test]
    fn what_is_terminating_is_not_ready_and_what_says_nothing_is() {
        let slice = |endpoints: serde_json::Value| -> EndpointSlice {
            serde_json::from_value(json!({ "addressType": "IPv4", "endpoints": endpoints }))
                .expect("a slice")
        };
        let slices = vec![
            slice(json!([
                { "addresses": ["10.0.0.1"], "conditions": { "ready": true } },
                { "addresses": ["10.0.0.2"], "conditions": { "ready": false, "serving": true, "terminating": true } },
            ])),
            slice(json!([{ "addresses": ["10.0.0.3"] }])),
        ];
        let ready: Vec<String> = ready_in_slices(slices).into_iter().collect();
        assert_eq!(ready, ["10.0.0.1", "10.0.0.3"]);
    }

    #[test]
    fn of_endpoints_only_those_count_that_are_ready() {
        let endpoints = serde_json::from_value(json!({ "subsets": [
            { "addresses": [{ "ip": "10.0.0.1" }], "notReadyAddresses": [{ "ip": "10.0.0.2" }] },
        ] }))
        .expect("endpoints");
        let ready: Vec<String> = ready_in_subsets(Some(endpoints)).into_iter().collect();
        assert_eq!(ready, ["10.0.0.1"]);
        assert!(ready_in_subsets(None).is_empty());
    }
}
