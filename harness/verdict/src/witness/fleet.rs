//! Joins what the witnesses of several pods say of one request: it belongs to the pod that recorded it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::collected::CollectedRecords;
use super::join::Joined;
use super::outcome::{Judgement, decide};
use harness_core::model::outcome::Outcome;
use harness_traffic::record::ClientRecord;

/// What the witnesses of each pod recorded, by the pod's name.
pub type CollectedByPod = BTreeMap<String, CollectedRecords>;

/// Whose a request was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holder {
    /// No witness of any pod has recorded it.
    None,
    /// Witnesses of this pod have.
    Pod(String),
    /// Witnesses of several pods have: one request goes to one pod, so they contradict each other.
    Several(Vec<String>),
}

/// Everything that is known of one request to a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetJoined {
    /// Whose it was.
    pub holder: Holder,
    /// What the holder's witnesses saw; of several holders, what the first one's did.
    pub joined: Joined,
}

impl FleetJoined {
    /// Puts a client's record and the collected records of all pods together.
    pub fn new(client: ClientRecord, pods: &CollectedByPod) -> Self {
        let mut holders: Vec<&String> = pods
            .iter()
            .filter(|(_, collected)| collected.knows(&client.id))
            .map(|(name, _)| name)
            .collect();
        let collected = holders.first().and_then(|name| pods.get(*name));
        let joined = match collected {
            Some(collected) => Joined::new(client, collected),
            None => Joined::new(client, &CollectedRecords::default()),
        };
        let holder = match (holders.pop(), holders.is_empty()) {
            (None, _) => Holder::None,
            (Some(only), true) => Holder::Pod(only.clone()),
            (Some(last), false) => {
                holders.push(last);
                Holder::Several(holders.into_iter().cloned().collect())
            }
        };
        Self { holder, joined }
    }

    /// Decides what became of the request.
    pub fn decide(&self) -> Judgement {
        match &self.holder {
            Holder::None | Holder::Pod(_) => decide(&self.joined),
            Holder::Several(pods) => Judgement {
                outcome: Outcome::Ambiguous,
                reasons: vec![format!(
                    "witnesses of several pods recorded the request: {}",
                    pods.join(", ")
                )],
            },
        }
    }

    /// Returns the pod that had the request, if it was one.
    pub fn pod(&self) -> Option<&str> {
        match &self.holder {
            Holder::Pod(name) => Some(name),
            Holder::None | Holder::Several(_) => None,
        }
    }
}

/// Puts the collected records of all pods together, for totals.
pub fn merged(pods: &CollectedByPod) -> Cow<'_, CollectedRecords> {
    if let Some((_, only)) = pods.first_key_value()
        && pods.len() == 1
    {
        return Cow::Borrowed(only);
    }
    let mut all = CollectedRecords::default();
    for collected in pods.values() {
        all.proxy.absorb(&collected.proxy);
        all.agent.absorb(&collected.agent);
        all.upstream.absorb(&collected.upstream);
        all.wire.absorb(&collected.wire);
        all.wire_reading = collected.wire_reading;
        all.agent_log = collected.agent_log;
    }
    Cow::Owned(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;
    use crate::witness::proxy::ProxyRecord;
    use harness_traffic::record::{ClientFailure, ClientResult, FailureCause, RequestPhase};

    /// A pod of which each of the three witnesses has recorded the request so often.
    fn collected([proxy, agent, upstream]: [usize; 3]) -> CollectedRecords {
        let mut collected = CollectedRecords::default();
        let asked = ProxyRecord {
            authorization_microseconds: Some(9),
            ..fixture::proxy()
        };
        collected.add_proxy(&fixture::proxy_line(&asked).repeat(proxy));
        collected.add_agent(&fixture::agent_line(&fixture::agent()).repeat(agent));
        collected.add_upstream(&fixture::upstream_line(&fixture::upstream()).repeat(upstream));
        collected
    }

    fn joined(pods: &[[usize; 3]]) -> FleetJoined {
        let pods = pods
            .iter()
            .zip(["a", "b", "c"])
            .map(|(counts, name)| (name.to_owned(), collected(*counts)))
            .collect();
        FleetJoined::new(fixture::client(), &pods)
    }

    #[test]
    fn a_request_belongs_to_the_pod_that_recorded_it() {
        let joined = joined(&[[0, 0, 0], [1, 1, 1], [0, 0, 0]]);
        assert_eq!(joined.pod(), Some("b"));
        assert_eq!(joined.decide().outcome, Outcome::Allowed);
    }

    #[test]
    fn a_request_that_two_proxies_recorded_is_ambiguous() {
        let joined = joined(&[[1, 1, 1], [1, 1, 1]]);
        assert_eq!(joined.holder, Holder::Several(vec!["a".into(), "b".into()]));
        assert_eq!(joined.pod(), None);
        assert_eq!(joined.decide().outcome, Outcome::Ambiguous);
    }

    #[test]
    fn witnesses_of_one_request_in_different_pods_are_ambiguous() {
        assert_eq!(
            joined(&[[1, 1, 0], [0, 0, 1]]).decide().outcome,
            Outcome::Ambiguous
        );
    }

    #[test]
    fn a_request_that_only_the_application_recorded_belongs_to_its_pod() {
        let joined = joined(&[[0, 0, 0], [0, 0, 1]]);
        assert_eq!(joined.pod(), Some("b"));
        assert_eq!(joined.decide().outcome, Outcome::Ambiguous);
    }

    #[test]
    fn a_reset_that_no_pod_recorded_is_lost_with_no_pod() {
        let mut client = fixture::client();
        client.result = ClientResult::Failed(ClientFailure {
            phase: RequestPhase::Connect,
            cause: FailureCause::Refused,
            detail: String::new(),
        });
        let pods = CollectedByPod::from([("a".into(), CollectedRecords::default())]);
        let joined = FleetJoined::new(client, &pods);
        assert_eq!(joined.holder, Holder::None);
        assert_eq!(joined.decide().outcome, Outcome::Lost);
    }

    #[test]
    fn totals_are_those_of_all_pods() {
        let pods = CollectedByPod::from([
            ("a".into(), collected([1, 1, 0])),
            ("b".into(), collected([1, 0, 2])),
        ]);
        let all = merged(&pods);
        assert_eq!(all.proxy.of(fixture::ID).len(), 2);
        assert_eq!(all.agent.of(fixture::ID).len(), 1);
        assert_eq!(all.upstream.of(fixture::ID).len(), 2);
    }
}
