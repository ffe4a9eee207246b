//! Submits jobs to any number of job servers, as a part of other machines.
