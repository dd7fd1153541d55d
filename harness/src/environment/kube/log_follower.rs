//! Keeps what a container writes, from its first start on, all restarts in order.
//!
//! The API tells of a container's current and its previous instance, and a stream of it may break off. So each instance is followed until
//! the status says that it has ended and its log was read once more after that; what was read before is passed over. Where something is known to
//! be missing, the log says so: nothing may be concluded from what is not in it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;
use kube::{Client, Resource as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::pod_watch::{Latest, PodPlace, Stage};
use super::status;

/// The most that is kept of one container, in bytes.
const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// What stands at the end where there was more.
const CUT_OFF: &[u8] = b"\n[conformance: the log goes on; the first 64 MiB are kept]\n";
/// How long a stream that broke off is left alone.
const BROKEN_STREAM_PAUSE: Duration = Duration::from_millis(100);

/// A log whose last piece is no older than this when its following is given up was still being written.
const STILL_WRITTEN_WITHIN: Duration = Duration::from_secs(1);

/// What one container has written so far.
#[derive(Debug, Default)]
pub(super) struct ContainerLog {
    bytes: Mutex<Vec<u8>>,
    course: Mutex<ReadingCourse>,
}

/// How the reading of a log goes.
#[derive(Debug, Default)]
struct ReadingCourse {
    /// What is known to be missing.
    gap: Option<String>,
    /// Why the stream broke off that was to be read to its end.
    broken: Option<String>,
    /// When a piece came last.
    last_piece: Option<Instant>,
    /// The instance that is read, or was last, and where its log begins in what is kept.
    instance: Option<(String, u64)>,
}

impl ContainerLog {
    /// Returns why something of it is known to be missing. A log that nobody has ended, and one that a kubelet rotates, are whole.
    pub(super) fn gap(&self) -> Option<String> {
        self.course().gap.clone()
    }

    /// Returns where the log of an instance begins, where that one was the last to be read.
    pub(super) fn beginning_of(&self, instance: &str) -> Option<u64> {
        let course = self.course();
        let (_, begins_at) = course.instance.as_ref().filter(|(id, _)| id == instance)?;
        Some(*begins_at)
    }

    /// Begins with the log of an instance; returns where that is.
    pub(super) fn begin_instance(&self, instance: &str) -> usize {
        let begins_at = self.lock().len();
        self.course().instance = Some((instance.to_owned(), begins_at as u64));
        begins_at
    }

    /// Takes in that its following is given up. Where the stream is open and silent nothing is known to be missing.
    pub(super) fn give_up(&self) {
        let mut course = self.course();
        let written = course
            .last_piece
            .is_some_and(|at| at.elapsed() < STILL_WRITTEN_WITHIN);
        let reason = match course.broken.take() {
            Some(reason) => Some(format!(
                "it broke off and was not read to its end: {reason}"
            )),
            None => written.then(|| "its pod has ended, and it was still being read".into()),
        };
        course.gap = course.gap.take().or(reason);
    }

    /// Takes in that no more is to be read until the next instance comes.
    fn has_read_instance(&self) {
        let mut course = self.course();
        course.broken = None;
        course.last_piece = None;
    }

    /// Takes in that the rest of an instance's log cannot be had any more.
    fn lose_the_rest(&self, reason: &str) {
        self.course().gap.get_or_insert_with(|| {
            format!("an instance's log broke off and cannot be read any more: {reason}")
        });
    }

    fn course(&self) -> MutexGuard<'_, ReadingCourse> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all of it.
    pub(super) fn all(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// Returns what lies beyond the first `offset` bytes, at most `limit` bytes of it.
    pub(super) fn beyond(&self, offset: u64, limit: usize) -> Vec<u8> {
        let bytes = self.lock();
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(limit).min(bytes.len());
        bytes[start..end].to_vec()
    }

    /// Tells whether these bytes stand at this offset from `begins_at`, as far as so much is kept.
    fn has(&self, begins_at: usize, offset: u64, piece: &[u8]) -> bool {
        let bytes = self.lock();
        let start =
            usize::try_from(offset).map_or(usize::MAX, |offset| begins_at.saturating_add(offset));
        let kept = bytes.len().min(KEPT_BYTES);
        let end = start.saturating_add(piece.len()).min(kept);
        start >= end || bytes[start..end] == piece[..end - start]
    }

    pub(super) fn append(&self, piece: &[u8]) {
        let mut bytes = self.lock();
        if bytes.len() >= KEPT_BYTES {
            return;
        }
        let room = KEPT_BYTES - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if piece.len() > room {
            bytes.extend_from_slice(CUT_OFF);
        }
        let mut course = self.course();
        course.last_piece = Some(Instant::now());
        if piece.len() > room {
            course
                .gap
                .get_or_insert_with(|| "only its first 64 MiB are kept".into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a status may take to tell of the end of a container whose log has ended.
const END_TOLD_WITHIN: Duration = Duration::from_secs(5);

/// Follows one container until its pod has ended.
pub(super) async fn follow(
    client: Client,
    place: PodPlace,
    container: String,
    mut latest: watch::Receiver<Latest>,
    log: std::sync::Arc<ContainerLog>,
) {
    let mut done = BTreeSet::new();
    loop {
        let next = latest
            .wait_for(|latest| {
                next_instance(latest, &container, &done).is_some() || latest.stage > Stage::Alive
            })
            .await;
        let Ok(Some(mut instance)) = next.map(|latest| next_instance(&latest, &container, &done))
        else {
            return;
        };
        let id = instance.id.clone();
        let mut taken = Taken {
            begins_at: log.begin_instance(&id),
            bytes: 0,
        };
        let mut saw_its_end = false;
        let why_broken = loop {
            let ended_before = instance.ended || latest.borrow().stage > Stage::Alive;
            let read = read(&client, &place, &container, &instance, &mut taken, &log).await;
            if let Err(error) = &read {
                tracing::debug!(%container, error, "a container's log broke off");
            }
            // A kubelet that has removed the container answers with words of its own; the stream's end was the log's then.
            let is_complete = read.is_ok() || saw_its_end;
            let is_last_read = latest.borrow().stage == Stage::Gone;
            let is_read = read.is_ok();
            let why_broken = read.err().filter(|_| !is_complete);
            if is_last_read || (ended_before && is_complete) {
                break why_broken;
            }
            log.course().broken.clone_from(&why_broken);
            saw_its_end |= is_read;
            let pause = if is_read {
                // The log's end is the container's end; the status says so a little later.
                END_TOLD_WITHIN
            } else {
                sleep(BROKEN_STREAM_PAUSE).await;
                BROKEN_STREAM_PAUSE
            };
            let ended = latest.wait_for(|latest| {
                latest.stage > Stage::Alive
                    || find(latest, &container, &id).is_none_or(|found| found.ended)
            });
            // Where it still runs its log is followed again.
            let _ = timeout(pause, ended).await;
            let found = find(&latest.borrow(), &container, &id);
            match found {
                Some(found) => instance = found,
                // Two instances have come since: what is missing of this one is lost.
                None => break why_broken,
            }
        };
        log.has_read_instance();
        if let Some(reason) = why_broken {
            log.lose_the_rest(&reason);
        }
        done.insert(id);
    }
}

/// An instance that can be read.
#[derive(Clone, Debug)]
struct Readable {
    id: String,
    ended: bool,
    is_previous: bool,
}

fn readable(latest: &Latest, container: &str) -> Vec<Readable> {
    let Some(pod) = &latest.pod else {
        return Vec::new();
    };
    let view = status::containers(pod)
        .into_iter()
        .find(|view| view.name == container);
    let instances = view.map(|view| view.instances).unwrap_or_default();
    let last = instances.len().saturating_sub(1);
    instances
        .into_iter()
        .enumerate()
        .map(|(position, instance)| Readable {
            id: instance.id,
            ended: instance.end.is_some(),
            is_previous: position < last,
        })
        .collect()
}

fn next_instance(latest: &Latest, container: &str, done: &BTreeSet<String>) -> Option<Readable> {
    readable(latest, container)
        .into_iter()
        .find(|instance| !done.contains(&instance.id))
}

fn find(latest: &Latest, container: &str, id: &str) -> Option<Readable> {
    readable(latest, container)
        .into_iter()
        .find(|instance| instance.id == id)
}

/// What of an instance's log has been taken over.
#[derive(Debug)]
struct Taken {
    /// Where it begins in what is kept of the container.
    begins_at: usize,
    bytes: u64,
}

/// Reads an instance's log to the stream's end, beyond what was taken over before.
///
/// # Errors
///
/// When the stream breaks, or begins with something else than before: a log is asked for by its container's name, and while the status
/// lags behind, the answer may be the next instance's log.
async fn read(
    client: &Client,
    place: &PodPlace,
    container: &str,
    instance: &Readable,
    taken: &mut Taken,
    log: &ContainerLog,
) -> Result<(), String> {
    let parameters = LogParams {
        container: Some(container.to_owned()),
        follow: !instance.ended,
        previous: instance.is_previous,
        ..LogParams::default()
    };
    let url = Pod::url_path(&(), Some(&place.namespace));
    let request = kube::core::Request::new(url)
        .logs(&place.name, &parameters)
        .map_err(|error| error.to_string())?;
    let response = client
        .send(request.map(Body::from))
        .await
        .map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the API answered {}", response.status()));
    }
    let mut body = response.into_body();
    let mut position = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let end = position + piece.len() as u64;
        let known = usize::try_from(taken.bytes.saturating_sub(position)).unwrap_or(usize::MAX);
        let (again, new) = piece.split_at(known.min(piece.len()));
        if !log.has(taken.begins_at, position, again) {
            return Err("the log is another instance's".into());
        }
        if !new.is_empty() {
            log.append(new);
            taken.bytes = end;
        }
        position = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_by_offset() {
        let log = ContainerLog::default();
        log.append(b"abcdef");
        assert_eq!(log.beyond(2, 3), b"cde");
        assert_eq!(log.beyond(6, 3), b"");
        assert_eq!(log.beyond(60, 3), b"");
        assert_eq!(log.all(), b"abcdef");
    }

    #[test]
    fn the_log_of_the_next_instance_is_told_from_what_was_taken_over() {
        let log = ContainerLog::default();
        log.append(b"first\nsecond");
        assert!(log.has(6, 0, b"sec"));
        assert!(log.has(6, 3, b"ond"));
        assert!(!log.has(6, 0, b"thi"));
        assert!(log.has(6, 6, b"what is not kept yet"));
        assert!(log.has(0, u64::MAX, b"x"));
    }

    #[test]
    fn a_log_without_end_is_cut_off_and_says_so() {
        let log = ContainerLog::default();
        let piece = vec![b'x'; KEPT_BYTES / 2 + 1];
        for _ in 0..3 {
            log.append(&piece);
        }
        let all = log.all();
        assert_eq!(all.len(), KEPT_BYTES + CUT_OFF.len());
        assert!(all.ends_with(CUT_OFF));
        assert!(log.gap().is_some_and(|gap| gap.contains("64 MiB")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_given_up_lacks_something_only_where_that_is_known() {
        let silent = ContainerLog::default();
        silent.append(b"last words");
        sleep(STILL_WRITTEN_WITHIN).await;
        silent.give_up();
        assert_eq!(silent.gap(), None);

        let written = ContainerLog::default();
        written.append(b"on and on");
        written.give_up();
        assert!(written.gap().is_some());

        let broken = ContainerLog::default();
        broken.course().broken = Some("connection reset".into());
        broken.give_up();
        assert!(
            broken
                .gap()
                .is_some_and(|gap| gap.contains("connection reset"))
        );
    }

    #[test]
    fn the_first_gap_is_the_one_that_is_told() {
        let log = ContainerLog::default();
        assert_eq!(log.gap(), None);
        log.lose_the_rest("first");
        log.lose_the_rest("second");
        assert!(log.gap().is_some_and(|gap| gap.ends_with("first")));
    }
}
