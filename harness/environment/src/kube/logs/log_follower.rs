//! Follows what a container writes, from its first start on, all restarts in order.
//!
//! The API has a container's current and its previous instance, and a stream of it may break off. So each instance is followed until
//! the status says that it has ended and its log was read once more after that; what was read before is passed over. Where something is known to
//! be missing, the log says so: nothing may be concluded from what is not in it.

use std::collections::BTreeSet;
use std::time::Duration;

use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;
use kube::{Client, Resource as _};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::kube::api::latest::{Latest, PodPlace, Stage};
use crate::kube::api::status;
use crate::kube::logs::container_log::ContainerLog;
use crate::kube::logs::log_answer::LogAnswer;

/// How long a stream that broke off is left alone.
const BROKEN_STREAM_PAUSE: Duration = Duration::from_millis(100);

/// How long a status may take to show the end of a container whose log has ended.
const END_SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Follows one container until its pod has ended.
pub(in crate::kube) async fn follow(
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
                tracing::debug!(%container, %error, "a container's log broke off");
            }
            // A kubelet that has removed the container has nothing more to say; the stream's end was the log's then.
            let is_complete = read.is_ok() || saw_its_end;
            let is_removed = matches!(read, Err(Unread::Removed(_)));
            let is_last_read = latest.borrow().stage == Stage::Gone;
            let is_read = read.is_ok();
            let why_broken = read.err().filter(|_| !is_complete);
            let why_broken = why_broken.map(|why| why.to_string());
            if is_last_read || (ended_before && (is_complete || is_removed)) {
                break why_broken;
            }
            log.stream_ended(why_broken.as_ref());
            saw_its_end |= is_read;
            let pause = if is_read {
                // The log's end is the container's end; the status says so a little later.
                END_SHOWN_WITHIN
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

/// Why a log was not read to its end.
#[derive(Debug, thiserror::Error)]
enum Unread {
    /// It may be read another time.
    #[error("{0}")]
    Broken(String),
    /// The kubelet has removed the container, and its log with it.
    #[error("the kubelet has removed it: {0}")]
    Removed(String),
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
/// lags behind, the answer may be the next instance's log. When the kubelet has it no more.
async fn read(
    client: &Client,
    place: &PodPlace,
    container: &str,
    instance: &Readable,
    taken: &mut Taken,
    log: &ContainerLog,
) -> Result<(), Unread> {
    let broken = |error: &dyn std::fmt::Display| Unread::Broken(error.to_string());
    let parameters = LogParams {
        container: Some(container.to_owned()),
        follow: !instance.ended,
        previous: instance.is_previous,
        ..LogParams::default()
    };
    let url = Pod::url_path(&(), Some(&place.namespace));
    let request = kube::core::Request::new(url)
        .logs(&place.name, &parameters)
        .map_err(|error| broken(&error))?;
    let response = client
        .send(request.map(Body::from))
        .await
        .map_err(|error| broken(&error))?;
    if !response.status().is_success() {
        return Err(broken(&format!("the API answered {}", response.status())));
    }
    let mut body = response.into_body();
    let mut answer = LogAnswer::new();
    let mut position = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        if let Ok(piece) = frame.into_data() {
            position = take_over(&answer.take_in(piece), position, taken, log)?;
        }
    }
    let rest = answer.end().map_err(|message| {
        if message.ends_with(&instance.id) {
            Unread::Removed(message)
        } else {
            // The status lags behind: it speaks of another instance.
            Unread::Broken(message)
        }
    })?;
    take_over(&rest, position, taken, log).map(|_| ())
}

/// Takes over what of a piece is new; returns the position after it.
fn take_over(
    piece: &[u8],
    position: u64,
    taken: &mut Taken,
    log: &ContainerLog,
) -> Result<u64, Unread> {
    let end = position + piece.len() as u64;
    let known = usize::try_from(taken.bytes.saturating_sub(position)).unwrap_or(usize::MAX);
    let (again, new) = piece.split_at(known.min(piece.len()));
    if !log.has(taken.begins_at, position, again) {
        return Err(Unread::Broken("the log is another instance's".into()));
    }
    if !new.is_empty() {
        log.append(new);
        taken.bytes = end;
    }
    Ok(end)
}

#[cfg(test)]
#[path = "log_follower_tests.rs"]
mod tests;
