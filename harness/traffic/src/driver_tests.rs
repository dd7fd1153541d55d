//! Whole drives over in-memory streams against small servers.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::fixture::{
    AMPLE, Drive, Server, SilentListener, assert_reconciled, list, plan, read_head, repeat,
};
use super::*;
use crate::record::{FailureCause, RequestPhase};

#[rstest]
#[case(json!("sequential"))]
#[case(json!({ "rate": { "per_second": 500.0 } }))]
#[case(json!({ "concurrent": { "limit": 3 } }))]
#[tokio::test]
async fn every_request_of_a_list_is_recorded_once(#[case] pacing: serde_json::Value) {
    let server = Server::start(1).await;
    let plan = plan(server.address, pacing, "new", list(20));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    assert_eq!(summary.answered, 20);
    assert_eq!(server.connections(), 20);
    for record in &records {
        let sent_at = record.sent_at.expect("sent");
        assert!(record.intended_at <= sent_at && sent_at <= record.finished_at);
        assert_eq!(record.stream, "main");
    }
}

#[tokio::test]
async fn a_kept_connection_carries_all_requests_in_order() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(server.address, json!("sequential"), "keep", list(10));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    assert_eq!(server.connections(), 1);
    let ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
    let expected: Vec<_> = (0..10).map(|n| format!("s.c.{n}.r")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let server = Server::start(3).await;
    let plan = plan(server.address, json!("sequential"), "keep", list(9));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    // The close after the third answer may be seen before the next request or during it; either
    // way each request has one record, and the next one has a new connection.
    assert_reconciled(&records, summary);
    assert_eq!(summary.sent, 9);
    assert_eq!(server.connections(), summary.answered.div_ceil(3));
    for record in &records {
        if let ClientResult::Failed(failure) = &record.result {
            assert!(
                matches!(failure.cause, FailureCause::Closed | FailureCause::Reset),
                "{failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_on_a_kept_connection_is_recorded_and_not_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    // Answers the first request of each connection and closes once it has read the second.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_head(&mut stream).await.expect("the first request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.expect("writable");
            read_head(&mut stream).await.ok();
        }
    });
    let plan = plan(address, json!("sequential"), "keep", list(4));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    let failures: Vec<_> = records
        .iter()
        .map(|record| match &record.result {
            ClientResult::Response(_) => None,
            ClientResult::Failed(failure) => Some((failure.phase, failure.cause)),
        })
        .collect();
    let closed = Some((RequestPhase::ResponseHead, FailureCause::Closed));
    assert_eq!(failures, [None, closed, None, closed]);
}

#[tokio::test]
async fn a_stop_ends_a_repetition_and_its_numbers_have_no_gap() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    let mut first = Vec::new();
    for _ in 0..5 {
        first.push(drive.next_record().await);
    }
    drive
        .input
        .write_all(b"\"stop\"\n")
        .await
        .expect("the driver reads");
    let (mut records, summary) = drive.finish().await;
    records.splice(0..0, first);
    assert_reconciled(&records, summary);
    for (number, record) in records.iter().enumerate() {
        assert_eq!(record.id, format!("s.c.{number}.r"));
    }
}

#[tokio::test]
async fn a_repetition_ends_at_its_limit_without_a_stop() {
    let server = Server::start(1).await;
    let plan = plan(
        server.address,
        json!({ "concurrent": { "limit": 2 } }),
        "new",
        repeat(7),
    );
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    assert_eq!(summary.sent, 7);
}

#[tokio::test]
async fn the_end_of_the_input_is_a_stop() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive.next_record().await;
    drive.input.shutdown().await.expect("open");
    let mut seen = 1;
    let summary = loop {
        match drive.next_line().await {
            DriverLine::Request(_) => seen += 1,
            DriverLine::Summary(summary) => break summary,
            DriverLine::Refused { reason } => panic!("refused: {reason}"),
            DriverLine::Call(_) | DriverLine::Group(_) => panic!("nothing was called"),
        }
    };
    assert_eq!(summary.sent, seen);
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_stamps_the_intended_instants_under_a_stalled_server() {
    // Connections wait in the backlog; no answer ever comes.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut plan = plan(
        address,
        json!({ "rate": { "per_second": 10.0 } }),
        "new",
        list(20),
    );
    plan["request-timeout-milliseconds"] = json!(5000);
    let (mut records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    assert_eq!(summary.failed, 20);
    records.sort_by_key(|record| record.intended_at);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].intended_at);
        assert_eq!(between.as_millis(), 100, "earlier ones do not hold it back");
    }
    for record in &records {
        assert!(record.elapsed_microseconds >= 5_000_000, "{record:?}");
        let ClientResult::Failed(failure) = &record.result else {
            panic!("an answer: {record:?}");
        };
        assert_eq!(failure.cause, FailureCause::TimedOut);
    }
    drop(listener);
}

#[tokio::test(start_paused = true)]
async fn requests_that_leave_late_keep_their_intended_instants() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    // Due every 10 µs, but the timer wakes at whole milliseconds: all of them leave late.
    let mut plan = plan(
        address,
        json!({ "rate": { "per_second": 100_000.0 } }),
        "new",
        list(20),
    );
    plan["request-timeout-milliseconds"] = json!(50);
    let (mut records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    records.sort_by_key(|record| record.intended_at);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].intended_at);
        assert_eq!(between.as_micros(), 10);
    }
    drop(listener);
}

#[tokio::test]
async fn an_unreachable_address_fails_each_request_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let plan = plan(address, json!("sequential"), "keep", list(3));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    assert_eq!((summary.failed, summary.worst_lag_microseconds), (3, 0));
    assert!(records.iter().all(|record| record.sent_at.is_none()));
}

#[tokio::test]
async fn a_connection_without_an_answer_ends_soon_after_a_stop() {
    let silent = SilentListener::start().await;
    let requests = repeat(u32::MAX);
    let plan = plan(silent.address, json!("sequential"), "new", requests);
    let mut drive = Drive::start(&plan).await;
    silent.await_connecting().await;
    let stopped_at = Instant::now();
    let input = &mut drive.input;
    input.write_all(b"\"stop\"\n").await.expect("it reads");
    let (records, summary) = drive.finish().await;
    // The request itself may take 20 s.
    let took = stopped_at.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_reconciled(&records, summary);
    assert_eq!((records.len(), records[0].sent_at), (1, None));
    let ClientResult::Failed(failure) = &records[0].result else {
        panic!("an answer: {records:?}");
    };
    let of = (failure.phase, failure.cause);
    assert_eq!(of, (RequestPhase::Connect, FailureCause::TimedOut));
}

#[tokio::test]
async fn an_outage_does_not_run_at_full_speed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let plan = plan(address, json!("sequential"), "new", repeat(4));
    let (records, summary) = Drive::start(&plan).await.finish().await;
    assert_reconciled(&records, summary);
    for pair in records.windows(2) {
        let between = pair[1].intended_at.duration_since(pair[0].finished_at);
        assert!(between.as_millis() >= 10, "{pair:?}");
    }
}

#[tokio::test]
async fn a_broken_output_ends_the_drive() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive.next_record().await;
    drop(drive.output);
    let ended = timeout(AMPLE, drive.task).await.expect("it ends");
    let error = ended.expect("no panic").expect_err("no reader");
    assert!(matches!(error, DriveError::Output { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_command_stops_and_is_reported() {
    let server = Server::start(usize::MAX).await;
    let plan = plan(
        server.address,
        json!("sequential"),
        "keep",
        repeat(u32::MAX),
    );
    let mut drive = Drive::start(&plan).await;
    drive
        .input
        .write_all(b"faster\n")
        .await
        .expect("the driver reads");
    while let DriverLine::Request(_) = drive.next_line().await {}
    let error = drive.task.await.expect("no panic").expect_err("unknown");
    assert!(matches!(error, DriveError::Command { .. }), "{error}");
}

#[tokio::test]
async fn a_plan_that_cannot_be_carried_out_is_refused_and_nothing_is_sent() {
    let server = Server::start(1).await;
    let mut plan = plan(server.address, json!("sequential"), "new", list(2));
    plan["streams"][0]["requests"]["list"][1]["target"] = json!("/\n");
    let mut drive = Drive::start(&plan).await;
    let DriverLine::Refused { reason } = drive.next_line().await else {
        panic!("not refused");
    };
    assert!(reason.contains("the target"), "{reason}");
    let error = drive.task.await.expect("no panic").expect_err("refused");
    assert!(matches!(error, DriveError::Refused { .. }), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_input_that_ends_before_the_plan_is_refused() {
    let (output, driver_output) = duplex(1024);
    let error = drive(tokio::io::empty(), driver_output)
        .await
        .expect_err("no plan");
    assert!(error.to_string().contains("ended"), "{error}");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .await
        .expect("readable");
    assert!(line.starts_with(r#"{"refused":"#), "{line}");
}
