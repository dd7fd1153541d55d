//! How long a Check takes, from its bytes to the bytes of its answer, by class of request and by size of body.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use support::{Agent, all};

fn checks(criterion: &mut Criterion) {
    let agent = Agent::start();
    let mut group = criterion.benchmark_group("check");
    for class in all() {
        agent.prove(&class);
        group.throughput(Throughput::Bytes(class.check.len() as u64));
        group.bench_function(class.name, |bencher| {
            bencher.iter(|| black_box(agent.answer(black_box(&class.check))));
        });
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
