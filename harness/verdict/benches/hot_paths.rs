//! What the harness spends on each request: making it from a seed, reading what the witnesses wrote, joining and judging that, and a percentile.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use harness_core::corpus::{ExpansionOptions, expand};
use harness_core::model::located::Located;
use harness_core::model::payload::PayloadClass;
use harness_core::model::seed::Seed;
use harness_core::model::seed_position::SeedPosition;
use harness_traffic::record::{ClientRecord, ClientResult, ConnectionAge, ResponseRecord};
use harness_verdict::latency::percentile::Percentile;
use harness_verdict::witness::agent::AgentRecord;
use harness_verdict::witness::collected::CollectedRecords;
use harness_verdict::witness::join::Joined;
use harness_verdict::witness::log_line::LogRecord as _;
use harness_verdict::witness::outcome::decide;
use harness_verdict::witness::proxy::ProxyRecord;
use harness_verdict::witness::upstream::UpstreamRecord;
use jiff::Timestamp;

/// How many requests are joined: what one scenario has at most.
const REQUESTS: u64 = 10_000;
/// How many latencies an arm of a long benchmark has.
const LATENCIES: u32 = 100_000;

fn proxy_line(id: &str) -> String {
    format!(
        r#"{{"conformance-proxy":{{"id":"{id}","start":"2026-11-24T12:00:00.1Z","status":200,"flags":"-","details":"via_upstream","upstream":"127.0.0.1:8080","attempts":1,"authorization-microseconds":320,"failure-mode-allowed":"-","duration-milliseconds":2}}}}"#
    )
}

fn agent_line(id: &str) -> String {
    format!(
        r#"{{"Version":"4","Timestamp":"2026-11-24T12:00:00.1Z","Method":"GET","Path":"/items","RemoteAddr":"192.0.2.1","RequestIDStr":"65f0a1b2c3d4e5f601234567","RequestHeaders":[{{"Name":"Host","Value":"shop"}},{{"Name":"X-Conformance-Id","Value":"{id}"}}],"ResponseCode":200,"Signals":[],"WAFResponse":200}}"#
    )
}

fn upstream_line(id: &str) -> String {
    format!(
        r#"{{"helloworld-hit":{{"at":"2026-11-24T12:00:00.1Z","number":1,"id":"{id}","method":"GET","target":"/items","headers":[["host","shop"],["x-conformance-id","{id}"]],"body-length":0,"body-sha256":"e3","complete":true}}}}"#
    )
}

fn client(id: &str) -> ClientRecord {
    ClientRecord {
        id: id.into(),
        stream: "bench".into(),
        intended_at: Timestamp::UNIX_EPOCH,
        sent_at: None,
        finished_at: Timestamp::UNIX_EPOCH,
        elapsed_microseconds: 700,
        connection: ConnectionAge::default(),
        result: ClientResult::Response(ResponseRecord {
            status: 200,
            ..ResponseRecord::default()
        }),
    }
}

fn lines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("line");
    let (proxy, agent, upstream) = (proxy_line("a"), agent_line("a"), upstream_line("a"));
    group.bench_function("proxy", |bencher| {
        bencher.iter(|| black_box(ProxyRecord::parse(black_box(&proxy))));
    });
    group.bench_function("agent", |bencher| {
        bencher.iter(|| black_box(AgentRecord::parse(black_box(&agent))));
    });
    group.bench_function("application", |bencher| {
        bencher.iter(|| black_box(UpstreamRecord::parse(black_box(&upstream))));
    });
    group.finish();
}

fn join(criterion: &mut Criterion) {
    let ids: Vec<String> = (0..REQUESTS)
        .map(|number| format!("bench.{number}"))
        .collect();
    let mut collected = CollectedRecords::default();
    for id in &ids {
        collected.add_proxy(&proxy_line(id));
        collected.add_agent(&agent_line(id));
        collected.add_upstream(&upstream_line(id));
    }
    let first = decide(&Joined::new(client(&ids[0]), &collected));
    assert_eq!(first.outcome.to_string(), "allowed", "{first:?}");
    let mut group = criterion.benchmark_group("join");
    group.throughput(Throughput::Elements(REQUESTS));
    group.sample_size(20);
    group.bench_function("10000 requests joined and decided", |bencher| {
        bencher.iter(|| {
            for id in &ids {
                black_box(decide(&Joined::new(client(id), &collected)));
            }
        });
    });
    group.finish();
}

fn expansion(criterion: &mut Criterion) {
    let seed = Seed {
        name: Located::unwritten("tautology".into()),
        class: PayloadClass::Sqli,
        why: "a condition that is always true".into(),
        value: b"1' OR '1'='1".to_vec(),
        twin: Some(b"1 or 2 of them".to_vec()),
        positions: SeedPosition::ALL.into(),
        encodings: None,
    };
    let seeds = [seed];
    let options = ExpansionOptions {
        seed: 1,
        limit: None,
    };
    let count = expand(&seeds, options).len();
    let mut group = criterion.benchmark_group("expansion");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("one seed in every position and encoding", |bencher| {
        bencher.iter(|| black_box(expand(black_box(&seeds), options)));
    });
    group.finish();
}

fn percentile(criterion: &mut Criterion) {
    // A permutation: nothing is in order, and nothing is drawn.
    let latencies: Vec<f64> = (0..LATENCIES)
        .map(|number| f64::from(number.wrapping_mul(2_654_435_761) % 1_000_003))
        .collect();
    criterion.bench_function("p99 of 100000 latencies", |bencher| {
        bencher.iter_batched_ref(
            || latencies.clone(),
            |latencies| black_box(Percentile::P99.of_unsorted(latencies)),
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, expansion, lines, join, percentile);
criterion_main!(benches);
