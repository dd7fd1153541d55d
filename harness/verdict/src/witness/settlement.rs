//! Tells when the witnesses have recorded every request: a request is joined again only where a record of it has come since.

use super::client_records::{ClientAccounts, RequestEnd};
use super::collected::CollectedRecords;
use super::fleet::{CollectedByPod, FleetJoined};
use super::join::awaited;
use super::proxy::{DETAILS_REDIRECT, ProxyRecord};
use super::wire::WireReading;

/// How far the witnesses have come with a number of requests.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// How many records there were of each request when none was owed; none where some were.
    settled_with: Vec<Option<usize>>,
}

impl Settlement {
    /// Begins with nothing recorded of so many requests.
    pub fn of(requests: usize) -> Self {
        Self {
            settled_with: vec![None; requests],
        }
    }

    /// Tells whether no witness owes a record of any of these requests, by what all have recorded so far.
    pub fn is_reached(
        &mut self,
        clients: &(impl ClientAccounts + ?Sized),
        pods: &CollectedByPod,
    ) -> bool {
        let mut all = true;
        for (place, settled_with) in self.settled_with.iter_mut().enumerate() {
            let id = clients.id_at(place);
            let count = pods.values().map(|collected| collected.count(&id)).sum();
            if *settled_with == Some(count) {
                continue;
            }
            let is_settled = match clients.end_at(place) {
                RequestEnd::Failed => true,
                RequestEnd::Answered => owes_nothing(&id, pods).unwrap_or_else(|| {
                    let joined = FleetJoined::new(clients.record_at(place), pods).joined;
                    joined.awaited().is_empty()
                }),
            };
            *settled_with = is_settled.then_some(count);
            all &= settled_with.is_some();
        }
        all
    }
}

/// Tells whether no witness owes a record of an answered request, where that shows without joining all of them: in one pod, for which the
/// proxy has recorded the request once and followed no redirect, and of whose application no record is one of a copy.
fn owes_nothing(id: &str, pods: &CollectedByPod) -> Option<bool> {
    let mut holders = pods.values().filter(|collected| collected.knows(id));
    let (holder, None) = (holders.next()?, holders.next()) else {
        return None;
    };
    let is_plain = holder.proxy.count(id) == 1 && holder.mirrored() == 0;
    let proxy = is_plain.then(|| holder.proxy.of(id))?;
    if proxy
        .iter()
        .any(|record| record.details == DETAILS_REDIRECT)
    {
        return None;
    }
    let (agent, upstream) = (holder.agent.count(id), holder.upstream.count(id));
    Some(awaited(&proxy, holder.agent_log, agent, upstream).is_empty())
}

/// Tells whether the wire has a check of every answered request that the proxy asked the agent about and got an answer to, in pods in which all of the wire
/// is read.
pub fn wire_has_all(clients: &(impl ClientAccounts + ?Sized), pods: &CollectedByPod) -> bool {
    let read = pods
        .values()
        .filter(|collected| collected.wire_reading == WireReading::Whole);
    let read: Vec<&CollectedRecords> = read.collect();
    let is_owed = |id: &str, collected: &CollectedRecords| {
        let is_answered = |record: &ProxyRecord| record.asked() && !record.agent_failed();
        !collected.wire.has(id) && collected.proxy.of(id).iter().any(is_answered)
    };
    (0..clients.count()).all(|place| {
        let id = clients.id_at(place);
        !read.iter().any(|collected| is_owed(&id, collected))
    })
}

/// Returns how many mirrored copies the applications of all pods have recorded.
pub fn mirrored(pods: &CollectedByPod) -> u64 {
    pods.values().map(CollectedRecords::mirrored).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;
    use harness_traffic::record::ClientRecord;

    fn is_reached(settlement: &mut Settlement, collected: &CollectedRecords) -> bool {
        let pods = CollectedByPod::from([("a".into(), collected.clone())]);
        let clients: &[ClientRecord] = &[fixture::client()];
        settlement.is_reached(clients, &pods)
    }

    #[test]
    fn a_request_is_settled_until_another_record_of_it_comes() {
        let mut settlement = Settlement::of(1);
        let mut collected = CollectedRecords::default();
        assert!(!is_reached(&mut settlement, &collected));
        collected.add_proxy(&fixture::proxy_line(&fixture::proxy()));
        assert!(!is_reached(&mut settlement, &collected));
        collected.add_upstream(&fixture::upstream_line(&fixture::upstream()));
        assert!(is_reached(&mut settlement, &collected));
        let hop = ProxyRecord {
            details: DETAILS_REDIRECT.into(),
            ..fixture::proxy()
        };
        collected.add_proxy(&fixture::proxy_line(&hop));
        assert!(!is_reached(&mut settlement, &collected));
    }
}
