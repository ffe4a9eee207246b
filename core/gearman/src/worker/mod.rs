//! Takes jobs from any number of job servers, as a part of other machines.
