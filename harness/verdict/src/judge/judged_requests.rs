//! The judged requests of a scenario: a few words of each, and all that is known of those that are looked at again.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::judged::JudgedRequest;
use crate::witness::ids::{CompactId, IdTable};
use crate::witness::join::Joined;
use crate::witness::line_store::{LineAt, LineStore};
use crate::witness::outcome::Judgement;
use harness_core::model::outcome::Outcome;
use harness_traffic::plan::PlannedRequest;
use harness_traffic::record::ClientResult;

/// How many requests are kept besides, as lines that are read again: a record that comes late makes a finding of one that was as expected. It is
/// more than the logs of a pod have room for.
const MOST_LINES: usize = 50_000;

/// The judged requests of a scenario, in the order in which they were judged.
#[derive(Clone, Debug, Default)]
pub struct JudgedRequests {
    ids: IdTable,
    words: Vec<Words>,
    /// What many requests have in common.
    common: Vec<Common>,
    by_common: HashMap<Common, u32>,
    whole: Vec<JudgedRequest>,
    lines: LineStore,
    places: Vec<(CompactId, LineAt)>,
    kept: KeptRequests,
}

/// Which requests are kept whole.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum KeptRequests {
    All,
    #[default]
    LookedAtAgain,
}

/// Whether a judged request is looked at again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LookedAtAgain {
    /// Something that it is known by is enough: it is as expected.
    No,
    /// All that is known of it must be kept.
    Yes,
}

/// What is kept of every request.
#[derive(Clone, Copy, Debug)]
struct Words {
    id: CompactId,
    common: u32,
    waited_microseconds: Option<u64>,
}

/// What many requests have in common.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Common {
    case: String,
    outcome: Outcome,
    status: Option<u16>,
    signals: Vec<String>,
    record_counts: [(&'static str, usize); 3],
}

/// What is known of every judged request.
#[derive(Clone, Copy, Debug)]
pub struct BriefRequest<'a> {
    requests: &'a JudgedRequests,
    words: Words,
    common: &'a Common,
}

impl JudgedRequests {
    /// Keeps all requests whole from now on.
    pub const fn keep_all(&mut self) {
        self.kept = KeptRequests::All;
    }

    /// Adds a request that is looked at again.
    pub fn push(&mut self, request: JudgedRequest) {
        self.note(&request.case, &request.joined, &request.judgement);
        self.whole.push(request);
    }

    /// Adds a request of a case.
    ///
    /// # Panics
    ///
    /// Never: a judged request can be written as JSON.
    pub fn add(
        &mut self,
        case: &str,
        planned: &PlannedRequest,
        joined: Joined,
        judgement: Judgement,
        again: LookedAtAgain,
    ) {
        match (again, self.kept) {
            (LookedAtAgain::Yes, _) | (LookedAtAgain::No, KeptRequests::All) => {
                self.push(JudgedRequest::new(case, planned, joined, judgement));
            }
            (LookedAtAgain::No, KeptRequests::LookedAtAgain) => {
                let id = self.note(case, &joined, &judgement);
                if self.places.len() < MOST_LINES {
                    let request = JudgedRequest::new(case, planned, joined, judgement);
                    let line = serde_json::to_string(&request);
                    let line = line.expect("a judged request has only text keys");
                    let at = self.lines.keep(id.series(), None, &line);
                    self.places.push((id, at));
                }
            }
        }
    }

    /// Returns how many were judged.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Tells whether none was.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Returns what is known of every request.
    pub fn iter(&self) -> impl Iterator<Item = BriefRequest<'_>> {
        self.words.iter().map(|words| BriefRequest {
            requests: self,
            words: *words,
            common: &self.common[words.common as usize],
        })
    }

    /// Returns all that is known of the requests with these ids.
    ///
    /// # Panics
    ///
    /// Never: what was written as JSON can be read.
    pub fn named<'a>(&'a self, ids: &BTreeSet<&str>) -> Vec<Cow<'a, JudgedRequest>> {
        let whole =
            { self.whole.iter() }.filter(|request| ids.contains(request.planned.id.as_str()));
        let lines =
            { self.places.iter() }.filter(|(id, _)| ids.contains(self.ids.text(*id).as_str()));
        let read = |line: &str| serde_json::from_str(line).expect("it is read as it was written");
        let read = lines.map(|(_, at)| Cow::Owned(self.lines.read(*at, read)));
        whole.map(Cow::Borrowed).chain(read).collect()
    }

    /// Returns the requests that are kept whole.
    pub fn whole(&self) -> &[JudgedRequest] {
        &self.whole
    }

    fn note(&mut self, case: &str, joined: &Joined, judgement: &Judgement) -> CompactId {
        let signals = joined.agent.iter().flat_map(|record| &record.signals);
        let mut signals: Vec<String> = signals.cloned().collect();
        signals.sort();
        let common = Common {
            case: case.into(),
            outcome: judgement.outcome,
            status: match &joined.client.result {
                ClientResult::Response(response) => Some(response.status),
                ClientResult::Failed(_) => None,
            },
            signals,
            record_counts: joined.record_counts(),
        };
        let common = self.number_of(common);
        let waits = joined.proxy.iter();
        let id = self.ids.enter(&joined.client.id);
        self.words.push(Words {
            id,
            common,
            waited_microseconds: waits
                .filter_map(|record| record.authorization_microseconds)
                .max(),
        });
        id
    }

    fn number_of(&mut self, common: Common) -> u32 {
        if let Some(known) = self.by_common.get(&common) {
            return *known;
        }
        let next = u32::try_from(self.common.len()).expect("memory ends before the numbers do");
        self.common.push(common.clone());
        self.by_common.insert(common, next);
        next
    }
}

impl Extend<JudgedRequest> for JudgedRequests {
    fn extend<I: IntoIterator<Item = JudgedRequest>>(&mut self, requests: I) {
        for request in requests {
            self.push(request);
        }
    }
}

impl FromIterator<JudgedRequest> for JudgedRequests {
    fn from_iter<I: IntoIterator<Item = JudgedRequest>>(requests: I) -> Self {
        let mut judged = Self::default();
        judged.extend(requests);
        judged
    }
}

impl<'a> BriefRequest<'a> {
    /// Returns its id.
    pub fn id(&self) -> String {
        self.requests.ids.text(self.words.id)
    }

    /// Returns the case that it belongs to.
    pub fn case(&self) -> &'a str {
        &self.common.case
    }

    /// Returns what it adds up to.
    pub const fn outcome(&self) -> Outcome {
        self.common.outcome
    }

    /// Returns the status that the client received; none without an answer.
    pub const fn status(&self) -> Option<u16> {
        self.common.status
    }

    /// Returns the signals that the agent raised, sorted.
    pub fn signals(&self) -> &'a [String] {
        &self.common.signals
    }

    /// Returns how many records each witness had of it when it was judged.
    pub const fn record_counts(&self) -> [(&'static str, usize); 3] {
        self.common.record_counts
    }

    /// Returns how long the proxy waited for the agent.
    pub fn waited(&self) -> Option<Duration> {
        self.words.waited_microseconds.map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::witness::fixture;
    use crate::witness::outcome::decide;

    #[test]
    fn a_request_that_is_not_looked_at_again_is_known_all_the_same() {
        let mut requests = JudgedRequests::default();
        let joined = fixture::joined();
        let judgement = decide(&joined);
        let planned = serde_json::json!({
            "id": fixture::ID, "method": "GET", "target": "/", "headers": [], "body-base64": null, "framing": "content-length",
        });
        let planned: PlannedRequest = serde_json::from_value(planned).expect("a plan");
        let request = JudgedRequest::new("case", &planned, joined.clone(), judgement.clone());
        requests.add("case", &planned, joined, judgement, LookedAtAgain::No);
        assert!(requests.whole().is_empty());
        let brief = requests.iter().next().expect("one was judged");
        assert_eq!((brief.case(), brief.id()), ("case", fixture::ID.into()));
        assert_eq!(brief.record_counts(), request.joined.record_counts());
        let named = requests.named(&BTreeSet::from([fixture::ID]));
        let [named] = named.as_slice() else {
            panic!("{named:?}")
        };
        assert_eq!(named.joined, request.joined);
        assert_eq!(named.planned, request.planned);
        assert!(requests.named(&BTreeSet::from(["another"])).is_empty());
    }
}
