//! The detectors as a specification: which values are attacks of which class, at which position, and which values are not.

mod classes;

mod signals;
mod structure;
mod support;
