//! The part of `drain` with two streams: what is due until the proxy's TERM is answered and inspected, and no attack ever gets through.

use jiff::{SignedDuration, Timestamp};

use super::super::deployment::Deployment;
use super::super::drive::{Drive, DriveReport};
use super::super::error::ProcedureError;
use super::super::stream_pair::StreamPair;
use super::super::waits::DENIED_IN_A_ROW;
use super::super::{JudgedRequest, Proceedings};
use super::absence::Absence;
use super::{close_books, deletion_asked_at};
use crate::judge::lifecycle::{earliest_term, place_in_time};
use crate::model::finding::Finding;
use crate::model::identity::RequestId;
use crate::model::procedure::{DrainSpec, DrainStream};
use crate::model::stream_kind::StreamKind;
use crate::stack::PROXY_CONTAINER;
use crate::traffic::record::ClientRecord;
use crate::witness::outcome::decide;

/// Records of the streams that come before the deletion is asked for.
const WARM_UP: usize = 10 * DENIED_IN_A_ROW;
/// What is due within this time before a container's TERM may be cut by it.
pub(super) const TERM_MARGIN: SignedDuration = SignedDuration::from_millis(150);

/// Both streams under way.
pub(super) struct Streams {
    pub(super) drive: Drive,
    pub(super) pair: StreamPair,
}

/// Starts both and waits for their first answers.
pub(super) async fn start(
    stream: &DrainStream,
    deployment: &Deployment,
) -> Result<Streams, ProcedureError> {
    let pair = StreamPair::prepare(
        &deployment.ids,
        ("benign-stream", &stream.benign),
        ("attack-stream", &stream.attack),
    )?;
    let address = deployment.proxy_address();
    let streams = pair.streams(&address, |_| *stream.per_second, u32::MAX);
    let mut drive = deployment.start_drive(streams).await?;
    let waited_for = "answers from before the pod's deletion";
    let budget = deployment.timeouts.request;
    drive
        .await_records(waited_for, budget, |records| records.len() >= WARM_UP)
        .await?;
    Ok(Streams { drive, pair })
}

/// Judges the streams: what was due before the proxy's TERM must be answered and inspected; of the rest only that no attack reaches the
/// application.
pub(super) async fn judge(
    spec: &DrainSpec,
    pair: &StreamPair,
    report: &DriveReport,
    deployment: &Deployment,
    proceedings: &mut Proceedings,
) -> Result<(), ProcedureError> {
    let joined = deployment.settle(&report.records).await?;
    let timeline = deployment.pod.timeline();
    let asked = deletion_asked_at(&timeline);
    let due = Due::until(earliest_term(&timeline, PROXY_CONTAINER));
    let position = spec
        .stream
        .as_ref()
        .map(|stream| stream.per_second.position)
        .unwrap_or_default();
    let absence = Absence::of_agent(spec, &timeline);
    let mut judged_while_draining = 0_u64;
    let mut without_agent = 0_u64;
    let mut outcomes = Vec::new();
    for joined in joined {
        let stream = pair.of(&joined.client);
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        let due = due.includes(&joined.client);
        if due && asked.is_some_and(|asked| joined.client.intended_at >= asked) {
            judged_while_draining += 1;
        }
        let leaked = stream.kind == StreamKind::Attack && judgement.outcome.reached_application();
        let right = absence.right_for(&joined, stream.kind.usual());
        if due && Some(judgement.outcome) == absence.outcome {
            without_agent += 1;
        }
        if leaked || (due && !right.contains(&judgement.outcome)) {
            let names: Vec<&str> = right.iter().map(|outcome| outcome.as_str()).collect();
            let finding = Finding::new(
                if leaked { "leaked-attack" } else { "outcome" },
                position,
                names.join(" or "),
                judgement.outcome.as_str(),
            )
            .about(stream.case, &RequestId::from_witness(&joined.client.id));
            proceedings
                .findings
                .push(place_in_time(finding, &joined, &judgement, &timeline));
        }
        proceedings.requests.push(JudgedRequest::new(
            stream.case,
            &stream.prepared.planned,
            joined,
            judgement,
        ));
    }
    proceedings.observations.insert(
        "requests judged between deletion and TERM".into(),
        judged_while_draining.to_string(),
    );
    if let Some(wanted) = spec
        .stream
        .as_ref()
        .and_then(|stream| stream.without_agent.as_ref())
    {
        proceedings.observations.insert(
            format!("requests {} without the agent", **wanted),
            without_agent.to_string(),
        );
        if without_agent == 0 {
            proceedings.findings.push(Finding::new(
                "drain",
                wanted.position,
                format!("requests are {} once the agent has ended", **wanted),
                "none was",
            ));
        }
    }
    if judged_while_draining == 0 {
        proceedings.findings.push(Finding::new(
            "drain",
            position,
            "requests are sent while the preStop hooks run",
            "none was due before the proxy had its TERM: nothing was tested",
        ));
    }
    close_books(report, &outcomes, deployment, proceedings).await
}

/// Which requests must be answered and inspected: those that were due shortly before the proxy's TERM, and are over by then.
///
/// How long a request takes is not judged here, and a busy machine may hold it for longer than any margin: what is under way at TERM may be
/// cut by it.
#[derive(Clone, Copy, Debug)]
struct Due {
    term: Option<Timestamp>,
}

impl Due {
    const fn until(term: Option<Timestamp>) -> Self {
        Self { term }
    }

    fn includes(self, client: &ClientRecord) -> bool {
        self.term
            .is_none_or(|term| client.intended_at < term - TERM_MARGIN && client.finished_at < term)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use rstest::rstest;

    use super::*;
    use crate::witness::fixture::{NOON, joined};

    #[rstest]
    #[case::over_before_term(0, 999, true)]
    #[case::cut_by_term(0, 1000, false)]
    #[case::due_shortly_before(900, 950, false)]
    fn what_is_under_way_at_term_may_be_cut_by_it(
        #[case] intended: i64,
        #[case] finished: i64,
        #[case] is_due: bool,
    ) {
        let noon: Timestamp = NOON.parse().expect("valid");
        let mut client = joined().client;
        client.intended_at = noon + intended.milliseconds();
        client.finished_at = noon + finished.milliseconds();
        let due = Due::until(Some(noon + 1.second()));
        assert_eq!(due.includes(&client), is_due);
        assert!(Due::until(None).includes(&client));
    }
}
