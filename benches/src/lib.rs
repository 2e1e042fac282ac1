//! Measurements; each lives in its own bench target.
