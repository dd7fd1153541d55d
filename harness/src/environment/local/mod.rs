//! The `local` environment: a pod is a network namespace, a container a process with its own root.
