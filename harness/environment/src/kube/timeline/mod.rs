//! What happened to a pod and when, from what a real kubelet lets be seen: facts of five sources, folded into events.
//!
//! It uses [`super::logs`] and [`super::api`]. Inside it `pod_watch` uses `recorder`, that uses `fold`, and all of them use `fact`.

mod container_timeline;
mod event_facts;
mod fact;
mod fold;
mod instance;
pub(super) mod kubelet_acts;
pub(super) mod pod_watch;
mod pre_stop;
mod proxy_signal;
pub(super) mod recorder;
mod status_facts;
mod term;
