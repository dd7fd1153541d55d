//! Checks the one procedure of a scenario file.

use super::admission::{AdmissionOutcome, AdmissionSpec};
use super::complaints::Complaints;
use super::container::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use super::endurance::EnduranceSpec;
use super::exposure::ExposureSpec;
use super::image_procedures::{PullOutcome, PullSpec};
use super::kept_clients::KeptClients;
use super::located::{Located, Position};
use super::outcome::Outcome;
use super::procedure::{Case, DrainSpec, ExchangeSpec, Fault, OutageSpec};
use super::reload::{ReloadMeans, ReloadSpec};
use super::scenario::Procedure;
use super::validate::Context;
use super::validate_contract::check_contract;
use super::validate_requests::{check_cases, check_expectation, check_request};
use super::validate_rollout::check_rollout;

/// The most clients that keep a connection each.
const MOST_KEPT_CLIENTS: u32 = 64;

/// The fewest requests of each kind after which an agent is compared with what it was before.
const FEWEST_COMPARED: u32 = 20;
/// The most requests that are sent of each kind.
const MOST_REPEATED: u32 = 10_000;

pub(super) fn check_procedure(
    context: &Context<'_>,
    procedure: &Procedure,
    complaints: &mut Complaints<'_>,
) {
    match procedure {
        Procedure::Admission(admission) => check_admission(admission, complaints),
        Procedure::Exposure(exposure) => check_exposure(exposure, complaints),
        Procedure::Exchange(exchange) => check_exchange(context, exchange, complaints),
        Procedure::Contract(contract) => check_contract(contract, complaints),
        Procedure::Drain(drain) => check_drain(drain, complaints),
        Procedure::Endurance(endurance) => check_endurance(endurance, complaints),
        Procedure::Filesystem(files) => {
            check_some_cases(&files.cases, "filesystem", complaints);
            if files.files.is_empty() && !files.writable.is_empty() {
                complaints.add(
                    files.writable.position,
                    "`filesystem` expects no file",
                    "name at least one file that must have been written there",
                );
            }
            if let Some(container) = &files.container
                && ![AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER]
                    .contains(&container.as_str())
            {
                complaints.add(
                    container.position,
                    format!("there is no container `{}`", **container),
                    format!("known: {AGENT_CONTAINER}, {APPLICATION_CONTAINER}, {PROXY_CONTAINER}"),
                );
            }
        }
        Procedure::Outage(outage) => {
            check_request(&outage.benign, outage.benign.target.position, complaints);
            check_request(&outage.attack, outage.attack.target.position, complaints);
            match *outage.during {
                Outcome::FailedClosed | Outcome::FailedOpen => {}
                other => complaints.add(
                    outage.during.position,
                    format!("`{other}` cannot be the outcome while the agent is away"),
                    "write failed-open or failed-closed",
                ),
            }
            check_admitted(outage, complaints);
        }
        Procedure::Refusal(refusal) => {
            check_some_cases(&refusal.cases, "refusal", complaints);
            if refusal.says.iter().all(|text| text.trim().is_empty()) {
                complaints.add(
                    refusal
                        .says
                        .first()
                        .map_or_else(Position::default, |text| text.position),
                    "`refusal` does not say what the agent must complain of",
                    "add to `says:` a text that its log must contain",
                );
            }
        }
        Procedure::Reload(reload) => check_reload(reload, complaints),
        Procedure::Provenance(provenance) => {
            check_some_cases(&provenance.cases, "provenance", complaints);
        }
        Procedure::Pull(pull) => check_pull(pull, complaints),
        Procedure::Rollout(rollout) => check_rollout(rollout, complaints),
        Procedure::Secrecy(secrecy) => check_some_cases(&secrecy.cases, "secrecy", complaints),
        Procedure::Startup(startup) => {
            check_request(&startup.attack, startup.attack.target.position, complaints);
            check_request(&startup.benign, startup.benign.target.position, complaints);
            check_rate(&startup.per_second, complaints);
        }
    }
}

fn check_admission(admission: &AdmissionSpec, complaints: &mut Complaints<'_>) {
    check_cases(&admission.cases, complaints);
    match (
        *admission.pod,
        admission.says.is_empty(),
        admission.cases.is_empty(),
    ) {
        (AdmissionOutcome::Admitted, true, false) | (AdmissionOutcome::Refused, false, true) => {}
        (AdmissionOutcome::Admitted, _, _) => complaints.add(
            admission.pod.position,
            "a pod that is admitted has to be seen at work, and nobody says why it is not",
            "write `cases:` and leave `says:` out",
        ),
        (AdmissionOutcome::Refused, _, _) => complaints.add(
            admission.pod.position,
            "a pod that is refused takes no requests, and the cluster has to say why",
            "write `says:` and leave `cases:` out",
        ),
    }
}

fn check_exposure(exposure: &ExposureSpec, complaints: &mut Complaints<'_>) {
    check_some_cases(&exposure.cases, "exposure", complaints);
    if exposure.closed.is_empty() && exposure.open.is_empty() {
        complaints.add(
            Position::default(),
            "`exposure` asks for no port",
            "name the agent's port under `closed:` or `open:`",
        );
    }
    for open in &exposure.open {
        if let Some(closed) = exposure.closed.iter().find(|closed| ***closed == **open) {
            complaints.add(
                closed.position,
                format!("port {} is both open and closed", **closed),
                "keep one of the two",
            );
        }
    }
}

fn check_pull(pull: &PullSpec, complaints: &mut Complaints<'_>) {
    check_some_cases(&pull.cases, "pull", complaints);
    match (*pull.agent, pull.reasons.is_empty()) {
        (PullOutcome::NeverStarts, true) => complaints.add(
            pull.agent.position,
            "`pull` does not say why the agent never starts",
            "add to `reasons:` what the kubelet must give as its reason, such as ErrImageNeverPull",
        ),
        (PullOutcome::Runs, false) => complaints.add(
            pull.agent.position,
            "an agent that runs has no reason not to",
            "leave `reasons:` out, or write `agent: never-starts`",
        ),
        (PullOutcome::NeverStarts, false) | (PullOutcome::Runs, true) => {}
    }
}

fn check_reload(reload: &ReloadSpec, complaints: &mut Complaints<'_>) {
    check_request(&reload.attack, reload.attack.target.position, complaints);
    check_request(&reload.benign, reload.benign.target.position, complaints);
    check_rate(&reload.per_second, complaints);
    if reload.steps.is_empty() {
        complaints.add(
            reload.file.position,
            "`reload` changes nothing",
            "add to `steps:` what the file holds next",
        );
    }
    let mut before = *reload.denied_with;
    for step in &reload.steps {
        if step.by == ReloadMeans::Restart && *step.denied_with == before {
            complaints.add(
                step.denied_with.position,
                "nothing tells the rules after the restart from those before it",
                "deny with another status than before",
            );
        }
        before = *step.denied_with;
        if step.says.trim().is_empty() {
            complaints.add(
                step.says.position,
                "the step has no sign by which it is known to be over",
                "write in `says:` what the agent's log says then",
            );
        }
    }
}

fn check_endurance(endurance: &EnduranceSpec, complaints: &mut Complaints<'_>) {
    for request in [&endurance.attack, &endurance.benign] {
        check_request(request, request.target.position, complaints);
    }
    check_rate(&endurance.per_second, complaints);
    for (count, least) in [
        (&endurance.warm_up, 1),
        (&endurance.requests, FEWEST_COMPARED),
    ] {
        if !(least..=MOST_REPEATED).contains(&**count) {
            complaints.add(
                count.position,
                format!("{} requests are too few or too many", **count),
                format!("write a number from {least} to {MOST_REPEATED}"),
            );
        }
    }
    if endurance.idle_for.as_duration().is_zero() {
        complaints.add(
            endurance.idle_for.position,
            "the agent is not watched while it rests",
            "write a span in which a processor's use can be seen, such as `1s`",
        );
    }
    for (bound, most, hint) in [
        (
            &endurance.idle_processor_share,
            1.0,
            "write a share of one core, over 0 and up to 1",
        ),
        (
            &endurance.slowdown,
            100.0,
            "write how many times as long a check may take, over 0 and up to 100",
        ),
    ] {
        if !(**bound > 0.0 && **bound <= most) {
            complaints.add(bound.position, format!("{} bounds nothing", **bound), hint);
        }
    }
}

fn check_kept(kept: &Located<KeptClients>, complaints: &mut Complaints<'_>) {
    check_request(&kept.request, kept.request.target.position, complaints);
    if kept.http1 + kept.http2 == 0 || kept.http1 + kept.http2 > MOST_KEPT_CLIENTS {
        complaints.add(
            kept.position,
            "`kept` has no clients, or too many",
            format!("write `http1:` or `http2:`, together 1 to {MOST_KEPT_CLIENTS}"),
        );
    }
}

fn check_admitted(outage: &OutageSpec, complaints: &mut Complaints<'_>) {
    match (*outage.fault, &outage.admits) {
        (Fault::Overload, None) => complaints.add(
            outage.fault.position,
            "`overload` does not say how many requests the proxy admits",
            "write `admits:` with the `max_requests` of the agent's cluster",
        ),
        (Fault::Overload, Some(admits)) if !(1..=100).contains(&**admits) => complaints.add(
            admits.position,
            format!("{} requests cannot be held", **admits),
            "write a number from 1 to 100, as in `max_requests` of the agent's cluster",
        ),
        (Fault::ExhaustMemory | Fault::Kill | Fault::Pause, Some(admits)) => complaints.add(
            admits.position,
            "only `overload` fills the proxy's limit",
            "take `admits:` out",
        ),
        (Fault::Overload, Some(_)) | (Fault::ExhaustMemory | Fault::Kill | Fault::Pause, None) => {}
    }
    match (*outage.fault, &outage.trigger) {
        (Fault::ExhaustMemory, None) => complaints.add(
            outage.fault.position,
            "`exhaust-memory` does not say by which request the agent takes its memory",
            "write `trigger:` with a request; the reference stub takes memory for `x-stub-fault: allocate=256MiB`",
        ),
        (Fault::Kill | Fault::Overload | Fault::Pause, Some(trigger)) => complaints.add(
            trigger.position,
            "only `exhaust-memory` is triggered by a request",
            "take `trigger:` out",
        ),
        (Fault::ExhaustMemory, Some(trigger)) => {
            check_request(trigger, trigger.target.position, complaints);
        }
        (Fault::Kill | Fault::Overload | Fault::Pause, None) => {}
    }
}

fn check_drain(drain: &DrainSpec, complaints: &mut Complaints<'_>) {
    check_cases(&drain.in_flight, complaints);
    if drain.containers.is_empty() {
        complaints.add(
            Position::default(),
            "`drain` expects nothing of any container",
            "add to `containers:` how the agent and the proxy must end",
        );
    }
    let known = [PROXY_CONTAINER, APPLICATION_CONTAINER, AGENT_CONTAINER];
    for container in &drain.containers {
        for name in [Some(&container.name), container.outlives.as_ref()]
            .into_iter()
            .flatten()
        {
            if !known.contains(&name.as_str()) {
                complaints.add(
                    name.position,
                    format!("the pod has no container `{}`", **name),
                    format!("known: {}", known.join(", ")),
                );
            }
        }
        if container.exit_codes.is_empty() {
            complaints.add(
                container.exit_codes.position,
                "no exit code would ever be right",
                "name the exit codes that are acceptable, as in `[0, 143]`",
            );
        }
    }
    if let Some(kept) = &drain.kept {
        check_kept(kept, complaints);
    }
    if let Some(stream) = &drain.stream {
        check_request(&stream.benign, stream.benign.target.position, complaints);
        check_request(&stream.attack, stream.attack.target.position, complaints);
        check_rate(&stream.per_second, complaints);
    }
}

fn check_some_cases(cases: &[Case], section: &str, complaints: &mut Complaints<'_>) {
    check_cases(cases, complaints);
    if cases.is_empty() {
        complaints.add(
            Position::default(),
            format!("`{section}` sends nothing"),
            "add `cases:`: an agent that has not worked shows nothing",
        );
    }
}

fn check_rate(rate: &Located<f64>, complaints: &mut Complaints<'_>) {
    if !(**rate > 0.0 && **rate <= 10_000.0) {
        complaints.add(
            rate.position,
            format!("{} is not a rate", **rate),
            "write requests per second, over 0 and up to 10000",
        );
    }
}

fn check_exchange(context: &Context<'_>, exchange: &ExchangeSpec, complaints: &mut Complaints<'_>) {
    check_cases(&exchange.cases, complaints);
    if let Some(used) = &exchange.corpus {
        check_expectation(&used.expect, complaints);
        if !context.corpora.seeds.contains_key(used.seeds.as_str()) {
            let known: Vec<&str> = context.corpora.seeds.keys().map(String::as_str).collect();
            complaints.add(
                used.seeds.position,
                format!("there is no seed file `{}`", *used.seeds),
                format!("known: {}", known.join(", ")),
            );
        }
    }
    if exchange.cases.is_empty() && exchange.payloads.is_none() && exchange.corpus.is_none() {
        complaints.add(
            Position::default(),
            "`exchange` sends nothing",
            "add `cases:`, `payloads:` or `corpus:`",
        );
    }
    if let Some(used) = &exchange.payloads {
        check_expectation(&used.expect, complaints);
        let names = context.corpora.payloads.get(used.file.as_str()).into_iter();
        for payload in names.flat_map(|loaded| &loaded.content.payloads) {
            if let Some(case) = exchange
                .cases
                .iter()
                .find(|case| *case.name == *payload.name)
            {
                complaints.add(
                    case.name.position,
                    format!("`{}` is a payload of `{}` too", *case.name, *used.file),
                    "request ids are made from it; choose another",
                );
            }
        }
        if !context.corpora.payloads.contains_key(used.file.as_str()) {
            complaints.add(
                used.file.position,
                format!("there is no payload file `{}`", *used.file),
                format!(
                    "known: {}",
                    context
                        .corpora
                        .payloads
                        .keys()
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            );
        }
    }
}
