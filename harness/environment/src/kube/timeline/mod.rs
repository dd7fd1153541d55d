//! What happened to a pod and when, from what a real kubelet lets be seen.
//!
//! It uses [`super::logs`] and [`super::api`].

pub(super) mod container_course;
pub(super) mod course;
pub(super) mod late_look;
pub(super) mod life;
pub(super) mod pod_watch;
pub(super) mod pre_stop;
pub(super) mod proxy_word;
pub(super) mod term;
