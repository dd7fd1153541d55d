//! The requests of an exchange with what must be seen of each: a scenario's own cases, payload files, expanded seeds.
//!
//! Every attack is followed by its benign twin and by its deliverability control: the same request past the agent.

use super::MatrixCell;
use super::deployment::Deployment;
use super::error::ProcedureError;
use super::plan::{Prepared, Route};
use crate::procedure::exchange::CorpusUse;
use harness_core::corpus::{ExpansionOptions, RequestKind, expand};
use harness_core::model::case::{Case, Intent, PayloadUse};
use harness_core::model::expectation::Expectation;
use harness_core::model::finding::SourcePlace;
use harness_core::model::located::{Located, Position};
use harness_core::model::outcome::Outcome;
use harness_core::model::payload::PayloadClass;
use harness_core::model::request::RequestSpec;

/// One request with what must be seen of it.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The case, as findings name it.
    pub case: String,
    /// The request.
    pub prepared: Prepared,
    /// What must be seen.
    pub expect: Expectation,
    /// Where the request is counted in the matrix; only for requests of a corpus.
    pub cell: Option<MatrixCell>,
    /// What of the request must be delivered to nobody.
    pub undeliverable: Option<Located<String>>,
    /// Where the request is written, when that is not in the scenario's file.
    pub written: Option<SourcePlace>,
}

/// Makes the requests of a scenario's own cases: each attack with its twin and its control.
pub fn requests_of_cases(
    cases: &[Case],
    deployment: &Deployment,
) -> Result<Vec<Expected>, ProcedureError> {
    let mut requests = Vec::new();
    for case in cases {
        for number in 0..case.repeat.as_ref().map_or(1, |repeat| repeat.value) {
            requests.push(Expected {
                case: case.name.value.clone(),
                prepared: deployment.ids.prepare(
                    &case.request,
                    &case.name,
                    number,
                    Route::Inspected,
                )?,
                expect: case.expect.clone(),
                cell: None,
                undeliverable: case.undeliverable.clone(),
                written: None,
            });
        }
        let Some(twin) = case
            .twin
            .as_ref()
            .filter(|_| *case.intent == Intent::Attack)
        else {
            continue;
        };
        let outcome = twin.outcome.unwrap_or(Located {
            value: Outcome::Allowed,
            position: case.name.position,
        });
        requests.push(expected(
            deployment,
            &twin.request,
            &format!("{}-twin", *case.name),
            Route::Inspected,
            outcome_only(outcome.value, outcome.position),
        )?);
        let mut control = control(deployment, &case.request, &case.name)?;
        if let Some(text) = &case.undeliverable {
            // Past the agent the proxy edits the same places.
            control.undeliverable = Some(text.clone());
            control.expect.upstream.clone_from(&case.expect.upstream);
        }
        requests.push(control);
    }
    Ok(requests)
}

/// Makes the requests of a payload file.
pub(super) fn requests_of_payloads(
    used: &PayloadUse,
    deployment: &Deployment,
) -> Result<Vec<Expected>, ProcedureError> {
    let mut requests = Vec::new();
    let Some(loaded) = deployment.corpora.payloads.get(used.file.as_str()) else {
        return Ok(requests);
    };
    let class: PayloadClass = *loaded.content.class;
    for payload in &loaded.content.payloads {
        let mut expect = used.expect.clone();
        if let Some(signal) = class.signal() {
            let agent = expect.agent.get_or_insert_default();
            agent.signals.push(Located {
                value: signal.into(),
                position: used.file.position,
            });
        }
        let mut of_payload = vec![expected(
            deployment,
            &payload.request,
            &payload.name,
            Route::Inspected,
            expect,
        )?];
        if let Some(twin) = &payload.twin {
            of_payload.push(expected(
                deployment,
                twin,
                &format!("{}-twin", *payload.name),
                Route::Inspected,
                outcome_only(Outcome::Allowed, used.file.position),
            )?);
            let name = Located {
                value: payload.name.value.clone(),
                position: used.file.position,
            };
            of_payload.push(control(deployment, &payload.request, &name)?);
        }
        let written = SourcePlace {
            file: loaded.file.clone(),
            position: payload.name.position,
        };
        requests.extend(of_payload.into_iter().map(|request| Expected {
            written: Some(written.clone()),
            ..request
        }));
    }
    Ok(requests)
}

/// Makes the requests of a corpus: each attack with its control, each twin beside it.
pub(super) fn requests_of_corpus(
    used: &CorpusUse,
    deployment: &Deployment,
) -> Result<Vec<Expected>, ProcedureError> {
    let Some(loaded) = deployment.corpora.seeds.get(used.seeds.as_str()) else {
        return Ok(Vec::new());
    };
    let options = ExpansionOptions {
        seed: used.number.unwrap_or(1),
        limit: used.limit,
    };
    let mut requests = Vec::new();
    for expanded in expand(&loaded.seeds, options) {
        let expect = match expanded.kind {
            RequestKind::Attack => {
                let mut expect = used.expect.clone();
                if let Some(signal) = expanded.class.signal() {
                    let agent = expect.agent.get_or_insert_default();
                    agent.signals.push(Located {
                        value: signal.into(),
                        position: used.seeds.position,
                    });
                }
                expect
            }
            RequestKind::Twin | RequestKind::Benign => {
                outcome_only(Outcome::Allowed, used.seeds.position)
            }
        };
        let mut request = expected(
            deployment,
            &expanded.request,
            &expanded.name,
            Route::Inspected,
            expect,
        )?;
        request.cell = Some(MatrixCell {
            class: expanded.class.to_string(),
            kind: expanded.kind,
            position: expanded.position,
            encoding: expanded.encoding,
            protocol: expanded.protocol,
        });
        request.written = Some(SourcePlace {
            file: loaded.file.clone(),
            position: expanded.seed_name.position,
        });
        if expanded.kind == RequestKind::Attack {
            let name = Located {
                value: expanded.name,
                position: used.seeds.position,
            };
            let control = Expected {
                written: request.written.clone(),
                ..control(deployment, &expanded.request, &name)?
            };
            requests.extend([request, control]);
        } else {
            requests.push(request);
        }
    }
    Ok(requests)
}

fn control(
    deployment: &Deployment,
    request: &RequestSpec,
    name: &Located<String>,
) -> Result<Expected, ProcedureError> {
    expected(
        deployment,
        request,
        &format!("{}-control", **name),
        Route::Control,
        outcome_only(Outcome::NotInspected, name.position),
    )
}

/// Expects an outcome and nothing more.
pub(super) fn outcome_only(outcome: Outcome, position: Position) -> Expectation {
    let mut expect = Expectation::outcome_only(outcome);
    expect.outcome.position = position;
    expect
}

/// Makes one request.
pub(super) fn expected(
    deployment: &Deployment,
    request: &RequestSpec,
    case: &str,
    route: Route,
    expect: Expectation,
) -> Result<Expected, ProcedureError> {
    Ok(Expected {
        case: case.into(),
        prepared: deployment.ids.prepare(request, case, 0, route)?,
        expect,
        cell: None,
        undeliverable: None,
        written: None,
    })
}
