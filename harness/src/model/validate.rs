//! What a parser cannot check: names, combinations, references between files.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8Path;

use super::container::{AGENT_CONTAINER, APPLICATION_CONTAINER, PROXY_CONTAINER};
use super::diagnostic::Diagnostic;
use super::expectation::Expectation;
use super::load::{Corpora, Project};
use super::located::{Located, Position};
use super::outcome::Outcome;
use super::payload::{PayloadClass, PayloadFile};
use super::procedure::{Case, DrainSpec, ExchangeSpec, Intent};
use super::request::{RequestSpec, parse_header};
use super::scenario::{GROUPS, Procedure, Scenario, ScenarioFile};

/// What the checks of one scenario file need to see.
pub(super) struct Context<'a> {
    pub(super) project: &'a Project,
    pub(super) corpora: &'a Corpora,
    pub(super) file: &'a Utf8Path,
    pub(super) text: &'a Arc<str>,
}

/// Collects complaints about one file.
pub(super) struct Complaints<'a> {
    pub(super) file: &'a Utf8Path,
    pub(super) text: &'a Arc<str>,
    pub(super) list: &'a mut Vec<Diagnostic>,
}

impl Complaints<'_> {
    pub(super) fn add(
        &mut self,
        position: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.list.push(Diagnostic {
            file: self.file.into(),
            text: self.text.clone(),
            position,
            message: message.into(),
            label: String::new(),
            hint: Some(hint.into()),
        });
    }
}

/// Checks a scenario file and returns its one procedure.
pub(super) fn scenario(
    context: &Context<'_>,
    spec: &ScenarioFile,
    list: &mut Vec<Diagnostic>,
) -> Option<Procedure> {
    let before = list.len();
    let mut complaints = Complaints {
        file: context.file,
        text: context.text,
        list,
    };
    check_names(context, spec, &mut complaints);
    let procedure = only_procedure(spec, &mut complaints)?;
    check_procedure(context, &procedure, &mut complaints);
    (complaints.list.len() == before).then_some(procedure)
}

/// Complains about ids that more than one scenario carries.
pub(super) fn unique_ids(scenarios: &[Scenario], list: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &Scenario> = BTreeMap::new();
    for scenario in scenarios {
        let id = scenario.spec.id.as_str();
        if let Some(first) = seen.insert(id, scenario) {
            let text: Arc<str> = scenario.text.as_str().into();
            Complaints {
                file: &scenario.file,
                text: &text,
                list,
            }
            .add(
                scenario.spec.id.position,
                format!("the id `{id}` is taken by {}", first.file),
                "add a suffix that says what is different, as in `A02-sqli`",
            );
        }
    }
}

/// Checks a payload file.
pub(super) fn payloads(
    file: &Utf8Path,
    text: &Arc<str>,
    content: &PayloadFile,
    list: &mut Vec<Diagnostic>,
) {
    let mut complaints = Complaints { file, text, list };
    if content.payloads.is_empty() {
        complaints.add(
            content.class.position,
            "the file has no payloads",
            "a scenario that uses it would test nothing",
        );
    }
    check_unique_names(
        content.payloads.iter().map(|payload| &payload.name),
        &mut complaints,
    );
    for payload in &content.payloads {
        check_request(&payload.request, payload.name.position, &mut complaints);
        match (&payload.twin, *content.class) {
            (Some(twin), PayloadClass::Benign) => complaints.add(
                twin.target.position,
                format!("the benign payload `{}` has a twin", *payload.name),
                "make the twin a payload of its own",
            ),
            (None, PayloadClass::Benign) => {}
            (Some(twin), _) => check_request(twin, payload.name.position, &mut complaints),
            (None, _) => complaints.add(
                payload.name.position,
                format!("the attack `{}` has no benign twin", *payload.name),
                "add `twin:` with the nearest request that must pass",
            ),
        }
    }
}

/// Finds the nearest known word for an unknown one in a parser's message: ``unknown field `x`, expected one of a, b``.
pub(super) fn hint_for_parse_error(message: &str) -> Option<String> {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("while parsing a quoted scalar") {
        return Some(
            "in double quotes a backslash starts an escape; write two, or use single quotes".into(),
        );
    }
    if message.contains("missing") {
        let field = quoted.first()?;
        return Some(format!("add `{field}:`"));
    }
    let unknown = quoted.first()?;
    let (_, listed) = message.split_once("expected one of ")?;
    let known: Vec<&str> = listed
        .split(", ")
        .map(|name| name.trim_matches('`'))
        .collect();
    let nearest = known
        .iter()
        .max_by(|left, right| {
            strsim::jaro_winkler(unknown, left).total_cmp(&strsim::jaro_winkler(unknown, right))
        })
        .filter(|name| strsim::jaro_winkler(unknown, name) > 0.75);
    Some(match nearest {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", known.join(", ")),
    })
}

fn check_names(context: &Context<'_>, spec: &ScenarioFile, complaints: &mut Complaints<'_>) {
    let group = context.file.parent().and_then(Utf8Path::file_name);
    if !group.is_some_and(|group| GROUPS.contains(&group)) {
        complaints.add(
            Position::default(),
            format!("`{}` is not a group", group.unwrap_or_default()),
            format!("groups: {}", GROUPS.join(", ")),
        );
    }
    if !is_catalogue_id(&spec.id) {
        complaints.add(
            spec.id.position,
            format!("`{}` is not an id", *spec.id),
            "write a letter and two digits, and a suffix where needed: `A02`, `A02-sqli`",
        );
    }
    let known_file = |folder: &Utf8Path, name: &str| folder.join(format!("{name}.yaml"));
    for (wanted, folder) in [
        (&spec.stack.manifest, &context.project.manifests),
        (&spec.stack.envoy, &context.project.envoy_configs),
    ] {
        let path = known_file(folder, wanted);
        if !path.is_file() {
            complaints.add(
                wanted.position,
                format!("there is no {}", context.project.shown(&path)),
                known_names(folder),
            );
        }
    }
    for variable in &spec.stack.agent_env_removed {
        if spec.stack.agent_env.contains_key(variable.as_str()) {
            complaints.add(
                variable.position,
                format!("`{}` is both set and removed", **variable),
                "keep one of the two",
            );
        }
    }
    if let Some(grace) = &spec.stack.grace_period
        && grace.as_duration().subsec_nanos() != 0
    {
        complaints.add(
            grace.position,
            "a grace period is whole seconds",
            "Kubernetes counts terminationGracePeriodSeconds in seconds",
        );
    }
    for settings in [
        &spec.stack.agent,
        &spec.stack.front_proxy,
        &spec.stack.application,
    ] {
        if let Some(probe) = &settings.startup_probe
            && (probe.period.as_duration().subsec_nanos() != 0
                || probe.period.as_duration().is_zero()
                || probe.failure_threshold < 1
                || probe.http_get.is_some() == probe.exec.is_some())
        {
            complaints.add(
                probe.position,
                "a probe asks over `http-get` or by `exec`, not both, and has a period of whole seconds, at least 1s, and a failure threshold of at least 1",
                "Kubernetes refuses anything else",
            );
        }
    }
}

fn known_names(folder: &Utf8Path) -> String {
    let mut names: Vec<String> = folder
        .read_dir_utf8()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| entry.path().file_stem().map(str::to_owned))
        .collect();
    names.sort();
    format!("known: {}", names.join(", "))
}

fn is_catalogue_id(text: &str) -> bool {
    let (base, suffix) = match text.split_once('-') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (text, None),
    };
    let base = base.as_bytes();
    base.len() == 3
        && base[0].is_ascii_uppercase()
        && base[1..].iter().all(u8::is_ascii_digit)
        && suffix.is_none_or(is_word)
}

pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn only_procedure(spec: &ScenarioFile, complaints: &mut Complaints<'_>) -> Option<Procedure> {
    fn take<T: Clone>(
        section: Option<&Located<T>>,
        wrap: impl Fn(T) -> Procedure,
    ) -> Option<(Position, Procedure)> {
        section.map(|section| (section.position, wrap(section.value.clone())))
    }
    let mut given: Vec<(Position, Procedure)> = [
        take(spec.drain.as_ref(), Procedure::Drain),
        take(spec.exchange.as_ref(), |spec| {
            Procedure::Exchange(Box::new(spec))
        }),
        take(spec.filesystem.as_ref(), Procedure::Filesystem),
        take(spec.outage.as_ref(), Procedure::Outage),
        take(spec.refusal.as_ref(), Procedure::Refusal),
        take(spec.secrecy.as_ref(), Procedure::Secrecy),
        take(spec.startup.as_ref(), Procedure::Startup),
    ]
    .into_iter()
    .flatten()
    .collect();
    given.sort_by_key(|(position, _)| *position);
    match given.as_slice() {
        [] => {
            complaints.add(
                spec.id.position,
                "the scenario does nothing and expects nothing",
                "add one of exchange, outage, refusal, startup, drain, filesystem, secrecy",
            );
            None
        }
        [_] => given.pop().map(|(_, procedure)| procedure),
        [(_, first), (position, second), ..] => {
            complaints.add(
                *position,
                format!("`{}` stands beside `{}`", second.name(), first.name()),
                "a scenario has one procedure; make two files",
            );
            None
        }
    }
}

fn check_procedure(context: &Context<'_>, procedure: &Procedure, complaints: &mut Complaints<'_>) {
    match procedure {
        Procedure::Exchange(exchange) => check_exchange(context, exchange, complaints),
        Procedure::Drain(drain) => check_drain(drain, complaints),
        Procedure::Filesystem(files) => {
            check_some_cases(&files.cases, "filesystem", complaints);
            if files.files.is_empty() {
                complaints.add(
                    files.writable.position,
                    "`filesystem` expects no file",
                    "name at least one file that the agent must have written",
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
        Procedure::Secrecy(secrecy) => check_some_cases(&secrecy.cases, "secrecy", complaints),
        Procedure::Startup(startup) => {
            check_request(&startup.attack, startup.attack.target.position, complaints);
            check_request(&startup.benign, startup.benign.target.position, complaints);
            check_rate(&startup.per_second, complaints);
        }
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

fn check_cases(cases: &[Case], complaints: &mut Complaints<'_>) {
    check_unique_names(cases.iter().map(|case| &case.name), complaints);
    for case in cases {
        for suffix in ["-twin", "-control", "-stream"] {
            if case.name.ends_with(suffix) {
                complaints.add(
                    case.name.position,
                    format!("the name `{}` ends with `{suffix}`", *case.name),
                    "the suite makes names with this ending itself; choose another",
                );
            }
        }
    }
    for case in cases {
        check_request(&case.request, case.name.position, complaints);
        check_expectation(&case.expect, complaints);
        if let Some(repeat) = &case.repeat
            && !(1..=10_000).contains(&**repeat)
        {
            complaints.add(
                repeat.position,
                format!("a request cannot be sent {} times", **repeat),
                "write a number from 1 to 10000",
            );
        }
        match (*case.intent, &case.twin) {
            (Intent::Attack, None) => complaints.add(
                case.name.position,
                format!("the attack `{}` has no benign twin", *case.name),
                "add `twin:` with the nearest request that must pass",
            ),
            (Intent::Attack, Some(twin)) => {
                check_request(&twin.request, case.name.position, complaints);
                if let Some(outcome) = &twin.outcome
                    && **outcome == Outcome::BlockedByAgent
                {
                    complaints.add(
                        outcome.position,
                        "a benign twin must not be blocked",
                        "choose a request that must pass",
                    );
                }
            }
            (Intent::Benign | Intent::Protocol, Some(_)) => complaints.add(
                case.name.position,
                format!("`{}` is not an attack and has a twin", *case.name),
                "make the twin a case of its own",
            ),
            (Intent::Benign | Intent::Protocol, None) => {}
        }
    }
}

fn check_unique_names<'a>(
    names: impl Iterator<Item = &'a Located<String>>,
    complaints: &mut Complaints<'_>,
) {
    let mut seen = BTreeMap::new();
    for name in names {
        if !is_word(name) {
            complaints.add(
                name.position,
                format!("`{}` is not a name", **name),
                "use lower-case letters, digits and hyphens",
            );
        }
        if let Some(first) = seen.insert(name.as_str(), name.position) {
            complaints.add(
                name.position,
                format!("the name `{}` is taken on line {}", **name, first.line),
                "request ids are made from it; choose another",
            );
        }
    }
}

fn check_request(request: &RequestSpec, fallback: Position, complaints: &mut Complaints<'_>) {
    if let Some(method) = &request.method
        && (method.is_empty() || method.contains(char::is_whitespace))
    {
        complaints.add(
            method.position,
            format!("`{}` is not a method", **method),
            "write one word, as in `POST`",
        );
    }
    if request.target.is_empty() || request.target.contains(['\r', '\n', ' ']) {
        complaints.add(
            request.target.position,
            "a request target is one word without spaces",
            "percent-encode a space as `%20`",
        );
    }
    check_headers(&request.headers, complaints);
    if let Err(error) = request.body_bytes() {
        let position = request.body.as_ref().map_or(fallback, |body| body.position);
        complaints.add(
            position,
            error.to_string(),
            "a body is `{text: …}`, `{base64: …}` or `{filled: {length: …}}`",
        );
    }
    if let Err(error) = request.check_form() {
        let position = request
            .raw
            .as_ref()
            .map_or(request.target.position, |raw| raw.position);
        complaints.add(
            position,
            error.to_string(),
            "docs/writing-a-scenario.md says which parts of a request go together",
        );
    }
}

fn check_headers(fields: &[Located<String>], complaints: &mut Complaints<'_>) {
    for field in fields {
        if let Err(error) = parse_header(field) {
            complaints.add(
                field.position,
                error.to_string(),
                "write `name: value` in quotes",
            );
        }
    }
}

fn check_expectation(expect: &Expectation, complaints: &mut Complaints<'_>) {
    let outcome = *expect.outcome;
    let position = expect.outcome.position;
    if outcome == Outcome::Ambiguous {
        complaints.add(
            position,
            "`ambiguous` cannot be expected",
            "it means that the witnesses contradict each other, which is never a pass",
        );
    }
    if let Some(client) = &expect.client {
        check_headers(&client.headers, complaints);
        if outcome == Outcome::Lost {
            complaints.add(
                position,
                "a lost request has no answer that a client could check",
                "take `client:` out",
            );
        }
    }
    if let Some(upstream) = &expect.upstream {
        check_headers(&upstream.headers, complaints);
        if !outcome.reached_application() {
            complaints.add(
                position,
                format!("a request that is `{outcome}` never reaches the application"),
                "take `upstream:` out or change the outcome",
            );
        }
    }
    if let Some(status) = expect
        .client
        .as_ref()
        .and_then(|client| client.status.as_ref())
        && outcome == Outcome::BlockedByAgent
        && **status < 300
    {
        complaints.add(
            status.position,
            format!("a blocked request is not answered with {}", **status),
            "the agent blocks with 301, 302 or 400 to 599",
        );
    }
    if expect.agent.is_some()
        && matches!(
            outcome,
            Outcome::NotInspected | Outcome::FailedClosed | Outcome::FailedOpen
        )
    {
        complaints.add(
            position,
            format!("the agent has nothing to say of a request that is `{outcome}`"),
            "take `agent:` out or change the outcome",
        );
    }
}
