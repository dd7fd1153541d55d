//! Tests of [`super`]: what a driver may report, and when it counts as lost.

use super::*;
use harness_traffic::plan::{ConnectionUse, Pacing, Requests, Stream};

const NEVER_STOPPED: &str =
    "{\"summary\":{\"sent\":0,\"answered\":0,\"failed\":0,\"worst-lag-microseconds\":0}}\n";

async fn drive_of(limit: u32) -> Drive {
    drive_that_says(NEVER_STOPPED.as_bytes(), limit).await
}

async fn drive_that_says(
    output: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    limit: u32,
) -> Drive {
    let process = DriverProcess {
        stdin: Box::new(tokio::io::sink()),
        stdout: Box::new(output),
        guard: Box::new(()),
    };
    let stream = Stream {
        name: "stream".into(),
        address: "127.0.0.1:1".into(),
        pacing: Pacing::Sequential,
        connection: ConnectionUse::New,
        tls: None,
        requests: Requests::Repeat {
            request: serde_json::from_str(
                r#"{"id":"{n}","method":"GET","target":"/","headers":[],"body-base64":null,"framing":"content-length"}"#,
            )
            .unwrap(),
            limit,
        },
    };
    let plan = DrivePlan {
        streams: vec![stream],
        request_timeout_milliseconds: 1,
        translated_service: None,
    };
    Drive::start(process, plan).await.unwrap()
}

#[tokio::test]
async fn a_driver_that_ends_before_it_has_sent_everything_is_lost() {
    let error = drive_of(3).await.finish().await.unwrap_err();
    assert!(error.to_string().contains("had 3 to send"), "{error}");
    assert_eq!(drive_of(0).await.finish().await.unwrap().summary.sent, 0);
}

#[tokio::test]
async fn a_driver_that_was_told_to_stop_owes_nothing() {
    let mut drive = drive_of(u32::MAX).await;
    drive.stop().await.unwrap();
    assert_eq!(drive.finish().await.unwrap().records.len(), 0);
}

#[tokio::test]
async fn a_driver_that_tells_of_a_stream_which_it_was_not_given_is_lost() {
    let mut record = harness_verdict::witness::fixture::joined().client;
    record.stream = "another".into();
    let mut line = serde_json::to_vec(&DriverLine::Request(Box::new(record))).unwrap();
    line.push(b'\n');
    let mut drive = drive_that_says(std::io::Cursor::new(line), 1).await;
    let error = drive.next().await.unwrap_err().to_string();
    assert!(error.contains("stream `another`"), "{error}");
}

#[tokio::test]
async fn a_driver_that_says_nothing_is_not_waited_for_for_ever() {
    let (_silent, output) = tokio::io::duplex(1);
    let mut drive = drive_that_says(output, 1).await;
    let budget = TimeSpan::new(Duration::from_millis(10));
    let waiting = drive.await_records("an answer", budget, |records| !records.is_empty());
    let error = waiting.await.unwrap_err().to_string();
    assert!(
        error.contains("waiting for an answer; last seen: 0 requests had ended"),
        "{error}"
    );
}

#[tokio::test]
async fn a_driver_that_ends_while_its_answers_are_awaited_is_lost() {
    let mut drive = drive_of(u32::MAX).await;
    let budget = TimeSpan::new(Duration::from_secs(5));
    let waiting = drive.await_records("an answer", budget, |records| !records.is_empty());
    let error = waiting.await.unwrap_err().to_string();
    assert!(error.contains("it ended without a word"), "{error}");
    assert!(drive.stop().await.is_err());
}

#[tokio::test]
async fn a_line_that_was_half_read_is_read_on() {
    let (mut writer, output) = tokio::io::duplex(4096);
    let mut drive = drive_that_says(output, 0).await;
    let (first, rest) = NEVER_STOPPED.as_bytes().split_at(20);
    writer.write_all(first).await.unwrap();
    let brief = Duration::from_millis(20);
    assert!(timeout(brief, drive.next()).await.is_err());
    writer.write_all(rest).await.unwrap();
    assert!(drive.next().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_goes_on_after_a_stop_is_lost() {
    let (_silent, output) = tokio::io::duplex(1);
    let mut drive = drive_that_says(output, u32::MAX).await;
    drive.stop().await.unwrap();
    let error = drive.finish().await.unwrap_err().to_string();
    assert!(error.contains("of being told to"), "{error}");
}

#[tokio::test]
async fn a_driver_is_read_while_nobody_asks_for_its_records() {
    let mut record = harness_verdict::witness::fixture::joined().client;
    record.stream = "stream".into();
    let mut line = serde_json::to_vec(&DriverLine::Request(Box::new(record))).unwrap();
    line.push(b'\n');
    let (mut driver, output) = tokio::io::duplex(16);
    let mut drive = drive_that_says(output, 100).await;
    let written = async {
        for _ in 0..100 {
            driver.write_all(&line).await.unwrap();
        }
    };
    timeout(Duration::from_secs(30), written)
        .await
        .expect("a driver does not wait for somebody to ask");
    driver.write_all(NEVER_STOPPED.as_bytes()).await.unwrap();
    assert!(drive.next().await.unwrap().is_some());
    assert_eq!(drive.finish().await.unwrap().records.len(), 100);
}
