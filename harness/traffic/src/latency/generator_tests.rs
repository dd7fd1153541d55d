//! The generator against servers that answer, stop, close and babble.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::*;
use crate::latency::plan::Arrivals;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves every connection with the same, from threads that end with the test.
fn serve(answer: impl Fn(&mut TcpStream, usize) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut stream = stream;
                let mut bytes = [0; 1024];
                let mut served = 0;
                while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                    answer(&mut stream, served);
                    served += 1;
                }
            });
        }
    });
    address
}

fn plan(arms: Vec<SocketAddr>) -> LatencyPlan {
    LatencyPlan {
        arms,
        requests_per_second: 400,
        arrivals: Arrivals::Poisson,
        warm_up_milliseconds: 100,
        measured_milliseconds: 500,
        connections_per_arm: 2,
        give_up_milliseconds: 30_000,
        seed: 1,
        request_base64: STANDARD.encode("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    }
}

fn run(plan: &LatencyPlan) -> Vec<Sample> {
    generate(plan, &StopFlag::default()).expect("it runs")
}

#[test]
fn every_request_that_was_due_has_one_sample() {
    let served = || serve(|stream, _| stream.write_all(ANSWER).unwrap_or_default());
    let plan = plan(vec![served(), served()]);
    let samples = run(&plan);
    let mut schedule = Schedule::new(2, 400, Arrivals::Poisson, 1);
    let length = Duration::from_millis(600);
    let due: Vec<Due> = std::iter::repeat_with(|| schedule.next())
        .take_while(|due| due.after < length)
        .filter(|due| due.after >= Duration::from_millis(100))
        .collect();
    assert_eq!(samples.len(), due.len());
    assert!(
        samples
            .iter()
            .all(|sample| sample.status == 200 && sample.ending == Ending::Answered)
    );
    for arm in [0, 1] {
        let of_arm = |sample: &&Sample| sample.arm == arm;
        assert_eq!(
            samples.iter().filter(of_arm).count(),
            due.iter().filter(|due| due.arm == arm).count()
        );
    }
}

#[test]
fn a_server_that_stops_for_a_while_is_measured_from_when_requests_were_due() {
    // The only connection is held for 150 ms by its 31st request: what is due meanwhile has waited for it.
    let address = serve(|stream, served| {
        if served == 30 {
            thread::sleep(Duration::from_millis(150));
        }
        stream.write_all(ANSWER).unwrap_or_default();
    });
    let plan = LatencyPlan {
        connections_per_arm: 1,
        warm_up_milliseconds: 0,
        ..plan(vec![address])
    };
    let samples = run(&plan);
    let late = samples
        .iter()
        .filter(|sample| sample.latency_microseconds() > 50_000.0);
    // Forty requests are due in 100 ms; a closed loop would have one.
    assert!(late.count() > 20);
    assert!(samples.iter().any(|sample| sample.under_way > 20));
}

#[test]
fn what_is_not_answered_is_said_and_the_run_goes_on() {
    let silent = serve(|_, _| {});
    let closing = serve(|stream, _| drop(stream.shutdown(std::net::Shutdown::Both)));
    let babbling = serve(|stream, _| stream.write_all(b"nonsense\r\n\r\n").unwrap_or_default());
    let impatient = LatencyPlan {
        give_up_milliseconds: 50,
        ..plan(vec![silent])
    };
    let given_up = run(&impatient);
    assert!(!given_up.is_empty());
    assert!(
        given_up
            .iter()
            .all(|sample| sample.ending == Ending::GivenUp && sample.status == 0)
    );
    let samples = run(&plan(vec![closing, babbling]));
    for (arm, ending) in [(0, Ending::Lost), (1, Ending::Unreadable)] {
        let mut of_arm = samples.iter().filter(|sample| sample.arm == arm).peekable();
        assert!(of_arm.peek().is_some());
        for sample in of_arm {
            assert_eq!((sample.ending, sample.status), (ending, 0), "arm {arm}");
        }
    }
}

#[test]
fn an_arm_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let error = generate(&plan(vec![free.expect("a port")]), &StopFlag::default());
    assert!(
        matches!(error, Err(GeneratorError::Connect { arm: 0, .. })),
        "{error:?}"
    );
}
