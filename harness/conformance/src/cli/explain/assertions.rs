//! What a scenario's procedure requires to be seen, in a line each.

use super::calls::call;
use harness_core::model::admission::{AdmissionOutcome, AdmissionSpec};
use harness_core::model::endurance::EnduranceSpec;
use harness_core::model::exposure::ExposureSpec;
use harness_core::model::image_procedures::{PullOutcome, PullSpec};
use harness_core::model::kept_clients::CutExpectation;
use harness_core::model::located::Located;
use harness_core::model::procedure::{Case, DrainSpec, LeakExpectation, ReadinessExpectation};
use harness_core::model::rollout::{LeakedExpectation, LossExpectation, RolloutSpec};
use harness_core::model::scenario::Procedure;
use harness_core::stack::PROXY_PORT;

/// Says in a line each what a procedure requires to be seen.
pub(super) fn asserted(procedure: &Procedure) -> Vec<String> {
    let case = asserted_of_case;
    match procedure {
        Procedure::Admission(spec) => asserted_of_admission(spec),
        Procedure::Endurance(spec) => asserted_of_endurance(spec),
        Procedure::Exposure(spec) => asserted_of_exposure(spec),
        Procedure::Contract(spec) => {
            let mut lines = vec![format!(
                "  asserts:     over {}, an attack is blocked and its twin allowed, first and last",
                spec.connection
            )];
            lines.extend(spec.cases.iter().map(call));
            lines
        }
        Procedure::Exchange(spec) => {
            let mut lines: Vec<String> = spec.cases.iter().map(case).collect();
            if let Some(used) = &spec.payloads {
                lines.push(format!(
                    "  asserts:     each payload of {} is {}, its twin allowed",
                    *used.file, *used.expect.outcome
                ));
            }
            if let Some(used) = &spec.corpus {
                lines.push(format!(
                    "  asserts:     the seeds of {} at every position and encoding are {}, their twins allowed",
                    *used.seeds, *used.expect.outcome
                ));
            }
            lines
        }
        Procedure::Filesystem(spec) => {
            let mut lines: Vec<String> = spec.cases.iter().map(case).collect();
            lines.push(format!(
                "  asserts:     the agent may write to {} and nowhere else",
                spec.writable.join(", ")
            ));
            lines
        }
        Procedure::Refusal(spec) => {
            let mut lines: Vec<String> = spec.cases.iter().map(case).collect();
            lines.extend(
                spec.says
                    .iter()
                    .map(|text| format!("  asserts:     the agent ends and says `{}`", **text)),
            );
            lines
        }
        Procedure::Reload(spec) => spec
            .steps
            .iter()
            .map(|step| {
                format!(
                    "  asserts:     after {} attacks are denied with {}, and none passes meanwhile",
                    *step.name, *step.denied_with
                )
            })
            .collect(),
        Procedure::Rollout(spec) => asserted_of_rollout(spec),
        Procedure::Secrecy(spec) => {
            let mut lines: Vec<String> = spec.cases.iter().map(case).collect();
            lines.push("  asserts:     the agent's keys show nowhere".into());
            lines
        }
        Procedure::Provenance(spec) => {
            let mut lines: Vec<String> = spec.cases.iter().map(case).collect();
            lines.push("  asserts:     each container runs the image that was built or asked for, by its digest".into());
            lines
        }
        Procedure::Pull(spec) => asserted_of_pull(spec),
        Procedure::Drain(spec) => asserted_of_drain(spec),
        Procedure::Outage(spec) => vec![
            match &spec.admits {
                Some(admits) => format!(
                    "  asserts:     with {} requests in the agent's hands the others are {}",
                    **admits, *spec.during
                ),
                None => format!(
                    "  asserts:     while the agent is away requests are {}",
                    *spec.during
                ),
            },
            "  asserts:     afterwards attacks are blocked and benign requests pass".into(),
        ],
        Procedure::Startup(spec) => vec![match (*spec.leaks, spec.readiness) {
            (_, ReadinessExpectation::Never) => {
                "  asserts:     the pod is never ready and serves nothing".into()
            }
            (LeakExpectation::None, ReadinessExpectation::Reached) => {
                "  asserts:     no attack reaches the application before the rules apply".into()
            }
            (LeakExpectation::Some, ReadinessExpectation::Reached) => {
                "  asserts:     attacks reach the application before the rules apply, and are seen to"
                    .into()
            }
        }],
    }
}

fn asserted_of_case(case: &Case) -> String {
    format!(
        "  asserts:     {} ({} {}) is {}",
        *case.name,
        case.request.method(),
        shortened(&case.request.target),
        *case.expect.outcome
    )
}

fn asserted_of_endurance(spec: &EnduranceSpec) -> Vec<String> {
    vec![
        format!(
            "  asserts:     over {} requests the agent grows by at most {} and {} descriptors",
            u64::from(*spec.requests) * 2,
            *spec.memory_growth,
            *spec.descriptors_growth
        ),
        format!(
            "  asserts:     it becomes no slower than {} times, or by {}, and uses at most {} of a core at rest",
            *spec.slowdown, *spec.slowdown_margin, *spec.idle_processor_share
        ),
    ]
}

fn asserted_of_exposure(spec: &ExposureSpec) -> Vec<String> {
    let written = |ports: &[Located<u16>]| ports.iter().map(|port| port.to_string()).collect();
    let closed: Vec<String> = written(&spec.closed);
    let mut open: Vec<String> = written(&spec.open);
    open.insert(0, PROXY_PORT.to_string());
    let mut lines: Vec<String> = spec.cases.iter().map(asserted_of_case).collect();
    lines.push(format!(
        "  asserts:     nobody outside the pod can connect to {}",
        closed.join(", ")
    ));
    lines.push(format!(
        "  asserts:     anybody can connect to {}",
        open.join(", ")
    ));
    lines
}

fn asserted_of_admission(spec: &AdmissionSpec) -> Vec<String> {
    let mut lines: Vec<String> = spec.cases.iter().map(asserted_of_case).collect();
    match *spec.pod {
        AdmissionOutcome::Admitted => {
            lines.push("  asserts:     the cluster lets the pod in".into());
        }
        AdmissionOutcome::Refused => lines.extend(spec.says.iter().map(|text| {
            format!(
                "  asserts:     the cluster refuses the pod and says `{}`",
                **text
            )
        })),
    }
    lines
}

fn asserted_of_pull(spec: &PullSpec) -> Vec<String> {
    let reasons: Vec<&str> = spec.reasons.iter().map(|reason| reason.as_str()).collect();
    let mut lines = vec![match *spec.agent {
        PullOutcome::NeverStarts => format!(
            "  asserts:     the agent never starts, for {}, and the pod is never ready",
            reasons.join(" or ")
        ),
        PullOutcome::Runs => "  asserts:     the agent runs".into(),
    }];
    lines.extend(spec.cases.iter().map(asserted_of_case));
    lines
}

fn asserted_of_drain(spec: &DrainSpec) -> Vec<String> {
    let mut lines: Vec<String> = spec.in_flight.iter().map(asserted_of_case).collect();
    if spec.stream.is_some() {
        lines.push(
            "  asserts:     what is over before the proxy's TERM was answered and inspected, nearly all that was due before it is, and no attack passes at any time"
                .into(),
        );
    }
    if let Some(kept) = &spec.kept {
        lines.push(match *kept.cut {
            CutExpectation::None => "  asserts:     no request on a kept connection is cut".into(),
            CutExpectation::Some => {
                "  asserts:     the proxy's TERM cuts requests on kept connections, and is seen to"
                    .into()
            }
        });
    }
    lines.extend(spec.containers.iter().map(|end| {
        format!(
            "  asserts:     {} ends with one of {:?}",
            *end.name, *end.exit_codes
        )
    }));
    lines
}

fn asserted_of_rollout(spec: &RolloutSpec) -> Vec<String> {
    let steps: Vec<String> = spec.steps.iter().map(|step| step.to_string()).collect();
    let lost = match *spec.lost {
        LossExpectation::Allowed => "benign requests may be lost",
        LossExpectation::None => "no benign request is lost",
        LossExpectation::Some => "benign requests are lost, and are seen to be",
    };
    let leaked = match *spec.leaked {
        LeakedExpectation::None => "no attack reaches the application",
        LeakedExpectation::Some => "attacks reach the application, and are seen to",
    };
    vec![format!(
        "  asserts:     with {} pods, through {}: {lost}, {leaked}",
        *spec.replicas,
        steps.join(", ")
    )]
}

/// Cuts a target off where a line would be too long for it.
pub(super) fn shortened(target: &str) -> String {
    const LIMIT: usize = 60;
    if target.chars().count() <= LIMIT {
        return target.into();
    }
    let start: String = target.chars().take(LIMIT).collect();
    format!("{start}…")
}
