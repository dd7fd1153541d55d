//! Two streams that go on together, benign requests and attacks, each the same request again and again.

use super::JudgedRequest;
use super::error::ProcedureError;
use super::plan::{Prepared, repeat_stream};
use super::request_ids::RequestIds;
use harness_core::model::located::Position;
use harness_core::model::request::RequestSpec;
use harness_core::model::stream_kind::StreamKind;
use harness_traffic::plan::{PlannedRequest, Stream};
use harness_traffic::record::ClientRecord;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::outcome::Judgement;

/// The two streams.
#[derive(Clone, Debug)]
pub(super) struct StreamPair {
    benign: Repeated,
    attack: Repeated,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Repeated {
    pub(super) kind: StreamKind,
    /// The case that its requests belong to, and the stream's name.
    pub(super) case: &'static str,
    prepared: Prepared,
    /// Where its target stands in the scenario.
    pub(super) position: Position,
}

impl StreamPair {
    /// Prepares both: a case and a request each, the benign one first.
    pub(super) fn prepare(
        ids: &RequestIds,
        benign: (&'static str, &RequestSpec),
        attack: (&'static str, &RequestSpec),
    ) -> Result<Self, ProcedureError> {
        let repeated = |kind, (case, request)| {
            Ok::<_, ProcedureError>(Repeated {
                kind,
                case,
                prepared: ids.prepare_repeated(request, case)?,
                position: request.target.position,
            })
        };
        Ok(Self {
            benign: repeated(StreamKind::Benign, benign)?,
            attack: repeated(StreamKind::Attack, attack)?,
        })
    }

    /// Returns both as a driver sends them: at a rate of their own, and each request no more often than the limit.
    pub(super) fn streams(
        &self,
        address: &str,
        per_second: impl Fn(StreamKind) -> f64,
        limit: u32,
    ) -> Vec<Stream> {
        [&self.benign, &self.attack]
            .map(|stream| {
                let planned = stream.planned().clone();
                repeat_stream(
                    stream.case,
                    address,
                    per_second(stream.kind),
                    planned,
                    limit,
                )
            })
            .to_vec()
    }

    /// Returns the stream that a request is of. A driver reports of the streams of its plan alone.
    pub(super) fn of(&self, client: &ClientRecord) -> &Repeated {
        if client.stream == self.attack.case {
            &self.attack
        } else {
            &self.benign
        }
    }
}

impl Repeated {
    /// Returns its request in the driver's terms.
    pub(super) const fn planned(&self) -> &PlannedRequest {
        &self.prepared.planned
    }

    /// Returns one of its requests as the report has it.
    pub(super) fn judged(&self, joined: Joined, judgement: Judgement) -> JudgedRequest {
        JudgedRequest::new(self.case, self.planned(), joined, judgement)
    }
}
