//! Scenario files: hosts, loads, faults, expectations; the stories.
