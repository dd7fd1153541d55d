//! What it costs to join and judge many recorded requests: time, and the most memory that was resident.
//!
//! Run it alone, since it reads the memory of its process:
//! `cargo test --release -p harness-verdict --test a_million -- --ignored --nocapture`

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod recorded;

use std::collections::BTreeMap;
use std::time::Instant;

use harness_core::model::expectation::Expectation;
use harness_core::model::outcome::Outcome;
use harness_traffic::plan::PlannedRequest;
use harness_traffic::record::DriverLine;
use harness_verdict::judge::exchange::{Subject, judge};
use harness_verdict::judge::judged_requests::{JudgedRequests, LookedAtAgain};
use harness_verdict::judge::late_records::{JudgedRecords, judge_late_records};
use harness_verdict::witness::client_records::ClientRecords;
use harness_verdict::witness::fleet::CollectedByPod;
use harness_verdict::witness::ids::IdSet;
use harness_verdict::witness::joined_requests::JoinedRequests;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::reconciliation::{EarlierHops, Reconciliation, Sources};
use harness_verdict::witness::settlement::Settlement;

use recorded::{Recorded, Story};

/// How many requests are written before the witnesses' logs are read on.
const REQUESTS_OF_A_PIECE: u32 = 1_000;

/// The pod that all of it is sent to.
const POD: &str = "pod";
/// The first request that a witness says nothing of which it should.
const FIRST_UNRECORDED: u32 = 1_500;
/// The most memory that may ever be resident, in MiB.
const MOST_MEBIBYTES: u64 = 1_024;

/// What the witnesses have said, as a run takes it in.
#[derive(Default)]
struct Records {
    clients: ClientRecords,
    pods: CollectedByPod,
    known_ids: IdSet,
}

/// What came out.
struct Figures {
    outcomes: BTreeMap<Outcome, u64>,
    findings: usize,
    discrepancies: Vec<String>,
    late: usize,
    phases: Vec<String>,
}

#[test]
#[ignore = "takes half a minute in a release build, and much longer in any other"]
fn a_million_requests_are_joined_and_judged() {
    for requests in [10_000, 100_000, 1_000_000] {
        let wall = Instant::now();
        let processor = processor_seconds();
        let writing = Instant::now();
        for number in 0..requests {
            std::hint::black_box(lines_of(&[Recorded::new(number)]));
        }
        let writing = writing.elapsed().as_secs_f64();
        let figures = run(requests);
        let expected = expected_outcomes(requests);
        assert_eq!(figures.outcomes, expected);
        let unexpected = (0..requests)
            .filter(|number| !Story::of(*number).is_as_expected())
            .count();
        assert_eq!(figures.findings, unexpected);
        assert_eq!(figures.discrepancies, Vec::<String>::new());
        assert_eq!(figures.late, 0);
        println!(
            "{requests:>9} requests: {:.2} s, {:.2} s of processor time, of which {writing:.2} s twice to write the lines; {} MiB at most; {}",
            wall.elapsed().as_secs_f64(),
            processor_seconds() - processor,
            peak_mebibytes(),
            figures.phases.join(", "),
        );
        assert!(peak_mebibytes() <= MOST_MEBIBYTES);
    }
}

fn run(requests: u32) -> Figures {
    let mut phases = Phases::default();
    let records = take_in(requests);
    phases.end("taken in");
    let is_settled =
        Settlement::of(records.clients.len()).is_reached(&records.clients, &records.pods);
    // Nobody will ever know of these: a run waits for them as long as it waits at all.
    assert_eq!(is_settled, requests < FIRST_UNRECORDED);
    phases.end("settled");
    let collected = &records.pods[POD];
    let joined = JoinedRequests {
        clients: &records.clients,
        collected,
        authorization_timeout: None,
    };
    let mut judged = JudgedRequests::default();
    let mut findings = Vec::new();
    let mut outcomes = Vec::new();
    let mut earlier_hops = EarlierHops::default();
    let planned = Planned::default();
    for joined in joined.iter() {
        let recorded = Recorded::new(number_of(&joined.client.id));
        let (planned, expect) = planned.of(recorded);
        let judgement = decide(&joined);
        outcomes.push(judgement.outcome);
        earlier_hops.add(&joined);
        let planned = PlannedRequest {
            id: joined.client.id.clone(),
            ..planned.clone()
        };
        let subject = Subject {
            case: recorded.case(),
            planned: &planned,
            body_sha256: recorded::body_sha256(),
            joined: &joined,
            judgement: &judgement,
        };
        let found = judge(&subject, expect);
        let again = if found.is_empty() {
            LookedAtAgain::No
        } else {
            LookedAtAgain::Yes
        };
        findings.extend(found);
        judged.add(recorded.case(), &planned, joined, judgement, again);
    }
    assert_eq!(judged.whole().len(), findings.len());
    phases.end("judged");
    let reconciliation = Reconciliation::reconcile(&Sources {
        sent: u64::from(requests),
        outcomes: &outcomes,
        nameless: 0,
        known_ids: &records.known_ids,
        collected,
        counters: None,
        access_log_entries: None,
        earlier_hops,
    });
    let judged_records = JudgedRecords {
        requests: &judged,
        calls: &[],
        known_ids: &records.known_ids,
        nameless: 0,
    };
    let late = judge_late_records(&judged_records, collected).len();
    phases.end("totals drawn up");
    Figures {
        outcomes: reconciliation.outcomes,
        findings: findings.len(),
        discrepancies: reconciliation.discrepancies,
        late,
        phases: phases.ended,
    }
}

/// What the time of a run was spent on.
struct Phases {
    began: Instant,
    ended: Vec<String>,
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            ended: Vec::new(),
        }
    }
}

impl Phases {
    fn end(&mut self, name: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.ended.push(format!("{name} in {seconds:.2} s"));
        self.began = Instant::now();
    }
}

/// Reads what the witnesses have written, piece by piece.
fn take_in(requests: u32) -> Records {
    let mut records = Records::default();
    for first in (0..requests).step_by(REQUESTS_OF_A_PIECE as usize) {
        let last = requests.min(first + REQUESTS_OF_A_PIECE);
        let piece: Vec<Recorded> = (first..last).map(Recorded::new).collect();
        let [client, proxy, agent, upstream] = lines_of(&piece);
        for line in client.lines() {
            let line = serde_json::from_str(line).expect("the driver's line");
            let DriverLine::Request(record) = line else {
                panic!("the driver reports of requests");
            };
            records.known_ids.insert(&record.id, ());
            records.clients.push(&record);
        }
        let collected = records.pods.entry(POD.into()).or_default();
        collected.add_proxy(&proxy);
        collected.add_agent(&agent);
        collected.add_upstream(&upstream);
    }
    records
}

/// Writes what the client, the proxy, the agent and the application say of these requests.
fn lines_of(requests: &[Recorded]) -> [String; 4] {
    let mut lines: [String; 4] = Default::default();
    for request in requests {
        request.write_client(&mut lines[0]);
        request.write_proxy(&mut lines[1]);
        request.write_agent(&mut lines[2]);
        request.write_upstream(&mut lines[3]);
    }
    lines
}

/// What is sent of each kind, and what is expected of it.
struct Planned {
    benign: (PlannedRequest, Expectation),
    attack: (PlannedRequest, Expectation),
}

impl Default for Planned {
    fn default() -> Self {
        let planned = |number, outcome| {
            let recorded = Recorded::new(number);
            let planned = serde_json::json!({
                "id": recorded.id(), "method": "GET", "target": recorded.target(), "headers": [], "body-base64": null,
                "framing": "content-length",
            });
            let planned = serde_json::from_value(planned).expect("a planned request");
            (planned, Expectation::outcome_only(outcome))
        };
        Self {
            benign: planned(0, Outcome::Allowed),
            attack: planned(3, Outcome::BlockedByAgent),
        }
    }
}

impl Planned {
    const fn of(&self, recorded: Recorded) -> (&PlannedRequest, &Expectation) {
        let (planned, expect) = if recorded.story.is_attack() {
            &self.attack
        } else {
            &self.benign
        };
        (planned, expect)
    }
}

fn number_of(id: &str) -> u32 {
    let number = id.rsplit('.').nth(1);
    number
        .and_then(|number| number.parse().ok())
        .expect("a number in the id")
}

fn expected_outcomes(requests: u32) -> BTreeMap<Outcome, u64> {
    let mut outcomes = BTreeMap::new();
    for number in 0..requests {
        *outcomes.entry(Story::of(number).outcome()).or_default() += 1;
    }
    outcomes
}

/// Returns the most memory that this process has had resident.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|text| text.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes
        .and_then(|text| text.parse().ok())
        .expect("a number of kB");
    kibibytes / 1024
}

/// Returns how long this process has used a processor.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    let fields = stat.rsplit(')').next().expect("fields after the name");
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().expect("a number"))
        .sum();
    ticks / 100.0
}
