//! The requests of a round, each joined when it is looked at: all of them at once would take much memory.

use std::time::Duration;

use super::client_records::ClientRecords;
use super::collected::CollectedRecords;
use super::join::Joined;
use harness_traffic::record::ClientRecord;

/// What the witnesses say of the requests of a round.
#[derive(Clone, Copy, Debug)]
pub struct JoinedRequests<'a> {
    /// The client's records.
    pub clients: &'a ClientRecords,
    /// The other witnesses'.
    pub collected: &'a CollectedRecords,
    /// How long the proxy waits for the agent, by its configuration.
    pub authorization_timeout: Option<Duration>,
}

impl JoinedRequests<'_> {
    /// Returns every request, in the order in which they ended.
    pub fn iter(&self) -> impl Iterator<Item = Joined> {
        self.clients.iter().map(|client| self.join(client))
    }

    /// Returns one request; none where the client has no record of it.
    pub fn of(&self, id: &str) -> Option<Joined> {
        self.clients.of(id).map(|client| self.join(client))
    }

    fn join(&self, client: ClientRecord) -> Joined {
        Joined {
            authorization_timeout: self.authorization_timeout,
            ..Joined::new(client, self.collected)
        }
    }
}
